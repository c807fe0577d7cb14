// Logging in, projects and keys, and any request by hand.
#include "http/client/commands.hpp"

#include "http/client/errors.hpp"
#include "http/client/forms.hpp"
#include "http/client/id_choice.hpp"
#include "http/client/key_prompt.hpp"
#include "http/client/node_commands.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <unistd.h>
#include <utility>

namespace greenroom::http::client {

namespace {

std::vector<column> key_columns() {
  return {field_column("ID", "id"), field_column("NAME", "name"),
          field_column("SCOPES", "scopes"),
          field_column("PROJECTS", "projects"),
          age_column("EXPIRES", "expires_at")};
}

asio::awaitable<int> whoami(invocation& now) {
  std::string target = "/whoami";
  auto one = co_await now.api.get(std::move(target));
  now.show(one, key_columns());
  co_return exit_code::done;
}

asio::awaitable<int> log_in(invocation& now) {
  auto server = now.api.server();
  if (now.options.server.key_file.empty()
      && process_environment("GREENROOM_KEY").empty()
      && process_environment("GREENROOM_KEY_FILE").empty())
    server.key = ask_key();
  api_client api{now.io, server};
  std::string target = "/whoami";
  auto one = co_await api.get(std::move(target));
  auto file = login_file(process_environment);
  save_login(file, {server.at.url(), server.key});
  say("logged in to " + server.at.url() + " as " + one.value("name", "")
      + "; kept in " + file.string());
  co_return exit_code::done;
}

int log_out() {
  std::error_code error;
  const auto file = login_file(process_environment);
  auto there = std::filesystem::remove(file, error);
  if (error)
    throw command_failed(exit_code::failed, "the login is still in "
                                              + file.string() + ": "
                                              + error.message());
  say(there ? "the login is forgotten" : "there was no login");
  return exit_code::done;
}

std::vector<column> project_columns() {
  return {field_column("ID", "id"), field_column("STATUS", "status"),
          field_column("BRANCH", "default_branch"),
          field_column("MAX SESSIONS", "max_active_sessions"),
          field_column("REPO", "repo")};
}

asio::awaitable<int> projects(invocation& now) {
  std::string target = "/projects";
  auto all = co_await get_all(now.api, std::move(target), "projects");
  now.show(all, project_columns());
  co_return exit_code::done;
}

struct project_options {
  std::string id;
  std::string repo;
  std::string default_branch;
  unsigned max_sessions = 0;
};

asio::awaitable<int> add_project(invocation& now,
                                 const project_options& options) {
  json body{{"id", options.id}, {"repo", options.repo}};
  if (!options.default_branch.empty())
    body["default_branch"] = options.default_branch;
  if (options.max_sessions != 0)
    body["max_active_sessions"] = options.max_sessions;
  std::string target = "/projects";
  auto one = co_await now.api.post(std::move(target), std::move(body));
  now.show(one, project_columns());
  co_return exit_code::done;
}

asio::awaitable<int> keys(invocation& now) {
  std::string target = "/keys";
  auto all = co_await get_all(now.api, std::move(target), "keys");
  now.show(all, key_columns());
  co_return exit_code::done;
}

struct key_options {
  std::string name;
  std::string author;
  std::string expires_in;
  // The last so that its user's commands find their project.
  std::vector<std::string> scopes{"sessions:read", "sessions:execute",
                                  "projects:read"};
  std::vector<std::string> projects;
};

asio::awaitable<int> create_key(invocation& now, const key_options& options) {
  json body{{"name", options.name}, {"scopes", options.scopes}};
  if (!options.author.empty())
    body["author"] = options.author;
  if (!options.expires_in.empty())
    body["expires_in"] = options.expires_in;
  if (!options.projects.empty())
    body["projects"] = options.projects;
  std::string target = "/keys";
  auto one = co_await now.api.post(std::move(target), std::move(body));
  const auto format = now.options.how_to_print().format;
  if (format == output_format::as_json) {
    now.show(one, {});
    co_return exit_code::done;
  }
  if (format == output_format::as_table)
    say("key " + one.value("id", "") + ", shown this once:");
  print(one.value("key", "") + "\n");
  co_return exit_code::done;
}

asio::awaitable<int> revoke_key(invocation& now, const std::string& word) {
  std::string list = "/keys";
  auto id = co_await choose_id(now.api, std::move(list), "keys", word);
  now.confirm("Whoever uses key " + id + " is shut out at once. Revoke it?");
  std::string method = "DELETE";
  auto target = "/keys/" + escaped(id);
  json none;
  co_await now.api.call(std::move(method), std::move(target), std::move(none));
  say("key " + id + " is revoked");
  co_return exit_code::done;
}

struct api_options {
  std::string method;
  std::string path;
  std::string data;
};

std::string read_data(const std::string& from) {
  if (from == "-" || from == "@-") // as curl has it
    return {std::istreambuf_iterator<char>{std::cin}, {}};
  if (!from.starts_with('@'))
    return from;
  std::ifstream in{from.substr(1), std::ios::binary};
  if (!in)
    throw usage_error(from.substr(1) + " cannot be read");
  return {std::istreambuf_iterator<char>{in}, {}};
}

// It may be a stream without end.
asio::awaitable<void> print_as_it_comes(api_client& api, request what) {
  constexpr std::chrono::hours longest_silence{24};
  auto answer = co_await api.open(std::move(what));
  auto ended_line = true;
  while (true) {
    auto bytes = co_await answer->read(longest_silence);
    if (bytes.empty())
      break;
    print(bytes);
    ended_line = bytes.ends_with('\n');
  }
  if (!ended_line && ::isatty(STDOUT_FILENO) == 1)
    print("\n");
}

asio::awaitable<int> any_request(invocation& now, const api_options& options) {
  request what;
  what.method = options.method;
  std::ranges::transform(what.method, what.method.begin(), [](unsigned char c) {
    return static_cast<char>(std::toupper(c));
  });
  what.target =
    options.path.starts_with('/') ? options.path : '/' + options.path;
  if (!options.data.empty()) {
    what.body = read_data(options.data);
    what.content_type = "application/json";
  }
  if (what.method == "GET" && what.body.empty()) {
    co_await print_as_it_comes(now.api, std::move(what));
    co_return exit_code::done;
  }
  auto answer = co_await now.api.send(std::move(what));
  if (answer.status >= 400)
    throw_refusal(answer.status, answer.body);
  print(answer.body);
  if (!answer.body.empty() && !answer.body.ends_with('\n')
      && ::isatty(STDOUT_FILENO) == 1)
    print("\n");
  co_return exit_code::done;
}

void add_login(command_set& set) {
  auto* made = set.add(set.root, "login", "Keep a server and a key for later",
                       [](invocation& now) { return log_in(now); });
  made->add_option("server", set.options.server.url, "The server's URL")
    ->required();
  made->footer(
    "The key is asked for, or read from --key-file, GREENROOM_KEY or "
    "GREENROOM_KEY_FILE.\nExample:\n  greenroom login "
    "https://greenroom.example.org");
  made = set.add(set.root, "logout", "Forget them", {});
  made->callback([&set] { set.chosen_local = log_out; });
  set.add(set.root, "whoami", "The key that is used, and what it may do",
          [](invocation& now) { return whoami(now); });
}

void add_projects(command_set& set) {
  auto* made = set.add(set.root, "projects", "The projects: list, add",
                       [](invocation& now) { return projects(now); });
  set.add(*made, "list", "Those that the key sees",
          [](invocation& now) { return projects(now); });
  auto options = std::make_shared<project_options>();
  auto* added =
    set.add(*made, "add", "Add a project (administrators)",
            [options](invocation& now) { return add_project(now, *options); });
  added->add_option("id", options->id, "Lower case, digits and -")
    ->required()
    ->check(form::project);
  added->add_option("repo", options->repo, "Its git repository")->required();
  added->add_option("--default-branch", options->default_branch,
                    "Else the repository's own");
  added
    ->add_option("--max-sessions", options->max_sessions,
                 "How many may live at once; else 1")
    ->check(CLI::PositiveNumber);
}

void add_keys(command_set& set) {
  auto* made =
    set.add(set.root, "keys", "API keys (administrators): list, create, revoke",
            [](invocation& now) { return keys(now); });
  set.add(*made, "list", "All that are not revoked",
          [](invocation& now) { return keys(now); });
  auto options = std::make_shared<key_options>();
  auto* added =
    set.add(*made, "create", "Create a key, and print it",
            [options](invocation& now) { return create_key(now, *options); });
  added->add_option("name", options->name, "Whose it is")->required();
  added
    ->add_option("--scope", options->scopes,
                 "May be repeated; else sessions:read, sessions:execute and "
                 "projects:read")
    ->allow_extra_args(false);
  added
    ->add_option("--for-project", options->projects,
                 "Only this project; may be repeated; else all")
    ->allow_extra_args(false)
    ->check(form::project);
  added->add_option("--author", options->author,
                    "Of its commits: Name <mail@example.org>");
  added->add_option("--expires-in", options->expires_in, "e.g. 90d; else never")
    ->check(form::duration);
  auto id = std::make_shared<std::string>();
  set
    .add(*made, "revoke", "Revoke a key at once",
         [id](invocation& now) { return revoke_key(now, *id); })
    ->add_option("key", *id, "The key's id, or a prefix of it")
    ->required();
}

} // namespace

void add_admin_commands(command_set& set) {
  add_login(set);
  add_projects(set);
  add_keys(set);
  add_node_commands(set);
  auto options = std::make_shared<api_options>();
  auto* made =
    set.add(set.root, "api", "Send any request, and print the answer",
            [options](invocation& now) { return any_request(now, *options); });
  made->add_option("method", options->method, "GET, POST, …")->required();
  made->add_option("path", options->path, "e.g. /projects")->required();
  made->add_option("-d,--data", options->data,
                   "A JSON body, @FILE, or - for standard input");
  made->footer("Example:\n  greenroom api POST /projects/demo/sessions -d "
               "'{\"new_branch\": \"x\"}'");
}

} // namespace greenroom::http::client
