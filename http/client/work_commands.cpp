// The work in a session: git, what has changed, and checking it in.
#include "http/client/commands.hpp"

#include "http/client/errors.hpp"
#include "runtime/base/run_command.hpp"

#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

extern char** environ;

namespace greenroom::http::client {

namespace {

namespace fs = std::filesystem;

/// Runs git with our own environment; it asks for nothing.
void run_git(std::vector<std::string> words) {
  command what;
  what.argv = {"git"};
  what.argv.insert(what.argv.end(), words.begin(), words.end());
  what.cwd = fs::current_path();
  for (auto** one = environ; *one != nullptr; ++one)
    what.env.emplace_back(*one);
  what.env.push_back("GIT_TERMINAL_PROMPT=0");
  auto pid = start_command(what, STDOUT_FILENO, STDERR_FILENO);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw command_failed(exit_code::failed, "git " + words.front() + " failed");
}

std::string shell_quoted(const std::string& text) {
  std::string result = "'";
  for (auto c : text)
    if (c == '\'')
      result += "'\\''";
    else
      result += c;
  return result + '\'';
}

void write_secret(const fs::path& file, const std::string& text) {
  auto fd =
    ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  auto wrote = fd < 0 ? -1 : ::write(fd, text.data(), text.size());
  if (fd >= 0)
    ::close(fd);
  if (wrote != static_cast<ssize_t>(text.size()))
    throw command_failed(exit_code::failed,
                         file.string()
                           + " cannot be written: " + std::strerror(errno));
}

// The token must not be seen in the list of processes, so git reads it from a
// file of the clone that is its user's alone.
asio::awaitable<int> clone(invocation& now, const std::string& word,
                           std::string directory) {
  auto session = co_await now.session(word);
  auto one = co_await now.api.get(session.path());
  auto target = session.path() + "/clone-token";
  json body = json::object();
  auto token = co_await now.api.post(std::move(target), std::move(body));
  auto url = token.value("auth_clone_url", "");
  auto scheme = url.find("://");
  auto at = url.find('@');
  if (scheme == std::string::npos || at == std::string::npos)
    throw command_failed(exit_code::failed,
                         "the server gave no clone URL: set http.public_url");
  auto credentials = url.substr(0, url.find('/', at)) + "\n";
  auto plain = url.substr(0, scheme + 3) + url.substr(at + 1);
  auto branch = one.value("branch", "");
  if (directory.empty())
    directory = session.project + '-' + session.id.substr(0, 6);
  if (fs::exists(directory) && !fs::is_empty(directory))
    throw usage_error(directory
                      + " is there and not empty: name another "
                        "directory");
  auto secret = fs::absolute(directory) / ".git" / "greenroom-credentials";
  run_git({"init", "--quiet", "-b", branch, directory});
  write_secret(secret, credentials);
  // Ours alone: the user's other helpers are not to learn this token, nor to
  // answer with an old one.
  run_git({"-C", directory, "config", "credential.helper", ""});
  run_git({"-C", directory, "config", "--add", "credential.helper",
           "store --file=" + shell_quoted(secret.string())});
  run_git({"-C", directory, "remote", "add", "origin", plain});
  run_git({"-C", directory, "fetch", "--quiet", "origin"});
  run_git({"-C", directory, "checkout", "--quiet", "-B", branch, "--track",
           "origin/" + branch});
  save_directory_choice(
    directory, {now.api.server().at.url(), session.project, session.id});
  auto info = fs::path{directory} / ".git" / "info";
  fs::create_directories(info);
  std::ofstream{info / "exclude", std::ios::app} << ".greenroom\n";
  if (now.options.how_to_print().format == output_format::as_table)
    say("cloned into " + directory
        + "; git pull and git push work while the session lives");
  else
    print(directory + "\n");
  co_return exit_code::done;
}

asio::awaitable<int> status(invocation& now, const std::string& word) {
  auto session = co_await now.session(word);
  auto target = session.path() + "/git";
  auto one = co_await now.api.get(std::move(target));
  now.show(one,
           {field_column("BRANCH", "branch"), field_column("HEAD", "head"),
            field_column("UPSTREAM", "upstream"),
            field_column("AHEAD", "ahead"), field_column("BEHIND", "behind"),
            field_column("DIRTY", "dirty_files")},
           "branch");
  co_return exit_code::done;
}

asio::awaitable<int> diff(invocation& now, const std::string& word) {
  auto session = co_await now.session(word);
  auto target = session.path() + "/diff";
  auto text = co_await now.api.text(std::move(target));
  print(text);
  co_return exit_code::done;
}

asio::awaitable<int> log(invocation& now, const std::string& word) {
  auto session = co_await now.session(word);
  auto target = session.path() + "/timeline";
  auto events = co_await get_all(now.api, std::move(target), "events");
  auto in_data = [](const char* field) {
    return [field](const json& one) {
      auto data = one.value("data", json::object());
      return field_column("", field).text(data);
    };
  };
  now.show(events, {field_column("ID", "id"),
                    {"TIME", in_data("time")},
                    field_column("EVENT", "type"),
                    {"STATUS", in_data("status")},
                    {"EXEC", in_data("exec_id")}});
  co_return exit_code::done;
}

struct checkin_options {
  std::string session;
  std::string message;
  bool skip_review = false;
  bool auto_merge = false;
};

asio::awaitable<int> checkin(invocation& now, const checkin_options& options) {
  auto session = co_await now.session(options.session);
  auto target = session.path() + "/checkin";
  json body{{"skip_review", options.skip_review},
            {"auto_merge", options.auto_merge}};
  if (!options.message.empty())
    body["commit_message"] = options.message;
  auto result = co_await now.api.post(std::move(target), std::move(body));
  column merge{"MERGE", [](const json& one) {
                 return one.contains("merge")
                          ? one["merge"].value("status", "-")
                          : std::string{"-"};
               }};
  now.show(result,
           {field_column("BRANCH", "branch"), field_column("COMMIT", "commit"),
            field_column("REVIEW", "review_task_id"), merge},
           "commit");
  if (now.options.how_to_print().format == output_format::as_table)
    say(result.value("message", ""));
  for (auto& one : result.value("rescue_refs", json::array()))
    say("kept beside the branch: " + one.value("ref", "") + " ("
        + one.value("holds", "") + ')');
  co_return exit_code::done;
}

} // namespace

void add_work_commands(command_set& set) {
  constexpr auto* what_session = "Id, a prefix of it, or branch; else the one "
                                 "that this directory stands for";
  auto word = std::make_shared<std::string>();
  auto directory = std::make_shared<std::string>();
  auto* made =
    set.add(set.root, "clone", "Clone a session's branch with git",
            [=](auto& now) { return clone(now, *word, *directory); });
  made->add_option("session", *word, what_session);
  made->add_option("directory", *directory, "Where to; else PROJECT-ID");
  made->footer("A clone makes a new token: an older clone of that session can "
               "then no longer push.");

  word = std::make_shared<std::string>();
  made = set.add(set.root, "status", "Where a session's checkout stands",
                 [word](auto& now) { return status(now, *word); });
  made->add_option("session", *word, what_session);

  word = std::make_shared<std::string>();
  made = set.add(set.root, "diff", "What a session has changed",
                 [word](auto& now) { return diff(now, *word); });
  made->add_option("session", *word, what_session);

  word = std::make_shared<std::string>();
  made = set.add(set.root, "log", "What has happened in a session",
                 [word](auto& now) { return log(now, *word); });
  made->add_option("session", *word, what_session);

  auto options = std::make_shared<checkin_options>();
  made = set.add(set.root, "checkin", "Commit, push and end a session",
                 [options](auto& now) { return checkin(now, *options); });
  made->add_option("session", options->session, what_session);
  made->add_option("-m,--message", options->message,
                   "Of the commit of what is not committed yet");
  made->add_flag("--skip-review", options->skip_review, "No review task");
  made->add_flag("--merge", options->auto_merge,
                 "Merge it when the review approves, or at once without one");
}

} // namespace greenroom::http::client
