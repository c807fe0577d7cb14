#include "http/client/command_line.hpp"

#include "http/client/commands.hpp"
#include "http/client/errors.hpp"
#include "http/client/printable.hpp"
#include "http/wire/message.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <optional>
#include <unistd.h>
#include <utility>

namespace greenroom::http::client {

namespace {

/// What --json stands for where it names no fields.
constexpr std::string_view all_fields = "*";

/// Names with commas between; one alone may be a session as well.
bool is_field_list(std::string_view word) {
  return word.find(',') != word.npos && word.front() != ','
         && word.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_,")
              == word.npos;
}

void add_common_options(CLI::App& root, common_options& to) {
  constexpr auto* group = "Options of the client's commands";
  root
    .add_option("--url", to.server.url,
                "The server; else GREENROOM_URL, or the login's")
    ->type_name("URL")
    ->group(group);
  root
    .add_option(
      "--key-file", to.server.key_file,
      "A file with the key, - for standard input; else GREENROOM_KEY, "
      "GREENROOM_KEY_FILE, or the login's")
    ->type_name("FILE")
    ->group(group);
  root
    .add_option("--ca-file", to.server.ca_file,
                "Authorities to believe for https, in PEM; else "
                "GREENROOM_CA_FILE, or the system's")
    ->type_name("FILE")
    ->group(group);
  root.add_option("-p,--project", to.project, "The project")
    ->type_name("ID")
    ->group(group);
  root.add_option("-o,--output", to.format, "How results are shown")
    ->check(CLI::IsMember({"table", "json", "name"}))
    ->type_name("FORMAT")
    ->group(group);
  root
    .add_option_function<std::string>(
      "--json",
      [&to](const std::string& fields) {
        to.as_json = true;
        for (std::size_t at = fields == all_fields ? fields.size() : 0;
             at < fields.size();) {
          auto end = std::min(fields.find(',', at), fields.size());
          if (end > at)
            to.json_fields.push_back(fields.substr(at, end - at));
          at = end + 1;
        }
      },
      "Results as JSON; with FIELDS only those: --json=id,status")
    ->type_name("FIELDS")
    ->group(group);
  root.add_flag("-q,--quiet", to.quiet, "Only ids")->group(group);
  root.add_flag("-y,--yes", to.yes, "Do not ask before what cannot be undone")
    ->group(group);
}

void say_error(const std::string& text) {
  auto colour = may_colour();
  std::fputs(colour ? "\033[31mgreenroom:\033[0m " : "greenroom: ", stderr);
  say(text);
}

// What went wrong in one sentence, and what would help.
int tell(const std::exception_ptr& what) {
  try {
    std::rethrow_exception(what);
  } catch (const usage_error& e) {
    say_error(e.what());
    return exit_code::usage;
  } catch (const api_error& e) {
    say_error(e.what());
    if (e.status() == 401)
      say(
        "  give a key by GREENROOM_KEY or --key-file, or run `greenroom login "
        "URL`");
    else if (!e.remediation().empty())
      say("  " + e.remediation());
    return e.exit_code();
  } catch (const unreachable_server& e) {
    say_error(e.what());
    say(
      "  is the node running, and is this its address? GREENROOM_URL or --url "
      "names another");
    return exit_code::unavailable;
  } catch (const command_failed& e) {
    if (*e.what() != '\0')
      say_error(e.what());
    return e.exit_code();
  } catch (const wire::lost& e) {
    say_error(std::string{"the connection broke: "} + e.what());
    return exit_code::unavailable;
  } catch (const std::exception& e) {
    say_error(e.what());
    return exit_code::failed;
  }
}

} // namespace

printing common_options::how_to_print() const {
  printing result;
  if (quiet || format == "name")
    result.format = output_format::as_names;
  else if (as_json || format == "json")
    result.format = output_format::as_json;
  result.fields = json_fields;
  return result;
}

void invocation::confirm(const std::string& question) const {
  if (options.yes)
    return;
  if (::isatty(STDIN_FILENO) != 1)
    throw usage_error(question + " Say --yes where nobody can be asked.");
  std::cerr << printable(question, "\n") << " [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != "y" && answer != "Y" && answer != "yes")
    throw command_failed(exit_code::failed, "nothing was done");
}

CLI::App* command_set::add(CLI::App& parent, const std::string& name,
                           const std::string& help, action run) {
  auto* made = parent.add_subcommand(name, help);
  made->fallthrough();
  made->footer(""); // else the whole program's
  if (run)
    made->callback([this, made, run = std::move(run)] {
      if (made->get_subcommands().empty())
        chosen = run;
    });
  return made;
}

struct command_line::state {
  explicit state(CLI::App& root) : set{root, options, {}, {}} {}

  common_options options;
  command_set set;
};

command_line::command_line(CLI::App& root)
  : state_(std::make_unique<state>(root)) {
  add_common_options(root, state_->options);
  add_session_commands(state_->set);
  add_exec_commands(state_->set);
  add_exec_list_commands(state_->set);
  add_event_commands(state_->set);
  add_work_commands(state_->set);
  add_clone_commands(state_->set);
  add_port_commands(state_->set);
  add_review_commands(state_->set);
  add_webhook_commands(state_->set);
  add_admin_commands(state_->set);
  add_help_commands(state_->set);
}

command_line::~command_line() = default;

bool command_line::chosen() const noexcept {
  return state_->set.chosen || state_->set.chosen_local;
}

void command_line::prepare(std::vector<std::string>& words) {
  for (auto word = words.begin(); word != words.end(); ++word)
    if (*word == "--json") {
      auto next = word + 1;
      auto named = next != words.end() && is_field_list(*next);
      *word += '=' + (named ? *next : std::string{all_fields});
      if (named)
        words.erase(next);
    }
}

int command_line::run(std::vector<std::string> words) {
  ::signal(SIGPIPE, SIG_IGN);
  state_->options.words = std::move(words);
  std::exception_ptr failure;
  int code = exit_code::done;
  try {
    if (!state_->options.words.empty() && !state_->set.takes_words)
      throw usage_error("only exec and run take a command after --; \""
                        + state_->options.words.front()
                        + "\" belongs before it");
    if (state_->set.chosen_local)
      return state_->set.chosen_local();
    asio::io_context io{1};
    auto server = choose_server(state_->options.server, process_environment,
                                std::filesystem::current_path());
    api_client api{io, std::move(server)};
    invocation now{io, api, state_->options};
    asio::co_spawn(io, state_->set.chosen(now),
                   [&](const std::exception_ptr& problem, int result) {
                     failure = problem;
                     code = result;
                     io.stop();
                   });
    io.run();
    if (failure)
      code = tell(failure);
    // What still waits (a read of the terminal, a signal) is of no more use.
    std::cout.flush();
    ::_exit(code);
  } catch (...) {
    return tell(std::current_exception());
  }
}

} // namespace greenroom::http::client
