#include "http/client/command_line.hpp"

#include "http/client/commands.hpp"
#include "http/client/errors.hpp"
#include "http/client/forms.hpp"
#include "http/client/printable.hpp"
#include "http/wire/message.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstddef>
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
bool is_field_list(std::string_view word, bool or_one) {
  return (or_one || word.find(',') != word.npos) && word.front() != ','
         && word.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_,")
              == word.npos;
}

void mark_fields(std::vector<std::string>& words, bool or_one) {
  for (auto word = words.begin(); word != words.end(); ++word)
    if (*word == "--json") {
      auto next = word + 1;
      auto named =
        next != words.end() && !next->empty() && is_field_list(*next, or_one);
      *word += '=' + (named ? *next : std::string{all_fields});
      if (named)
        words.erase(next);
    }
}

// CLI11 takes them from the back.
void parse_words(CLI::App& root, std::vector<std::string> words, bool or_one) {
  mark_fields(words, or_one);
  root.parse(std::vector<std::string>{words.rbegin(), words.rend()});
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
  root
    .add_option("-p,--project", to.project,
                "The project; else GREENROOM_PROJECT")
    ->type_name("ID")
    ->check(form::project)
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

const CLI::App* innermost(const CLI::App& root) {
  const auto* at = &root;
  while (!at->get_subcommands().empty())
    at = at->get_subcommands().front();
  return at;
}

// The word that stands where a command of the one that was parsed could; empty:
// there is none, or it is not what is wrong.
std::string word_for_command(const CLI::App& root, const CLI::Error& error) {
  const auto* at = innermost(root);
  // The name of an ExtrasError is that of its command.
  const auto may_be_one = dynamic_cast<const CLI::ExtrasError*>(&error)
                          || dynamic_cast<const CLI::RequiredError*>(&error);
  if (!may_be_one || at->get_subcommands(nullptr).empty())
    return {};
  for (auto& word : root.remaining(true))
    if (!word.starts_with('-'))
      return word;
  return {};
}

// How many letters are to be put in, left out, exchanged with their neighbour
// or replaced.
std::size_t slips_between(const std::string& one, const std::string& other) {
  std::vector<std::vector<std::size_t>> away(
    one.size() + 1, std::vector<std::size_t>(other.size() + 1));
  for (std::size_t i = 0; i <= one.size(); ++i)
    for (std::size_t j = 0; j <= other.size(); ++j) {
      if (i == 0 || j == 0) {
        away[i][j] = i + j;
        continue;
      }
      const auto same = one[i - 1] == other[j - 1] ? 0u : 1u;
      away[i][j] = std::min(
        {away[i - 1][j] + 1, away[i][j - 1] + 1, away[i - 1][j - 1] + same});
      if (i > 1 && j > 1 && one[i - 1] == other[j - 2]
          && one[i - 2] == other[j - 1])
        away[i][j] = std::min(away[i][j], away[i - 2][j - 2] + 1);
    }
  return away[one.size()][other.size()];
}

// The command that was parsed, with the words that lead to it.
std::string command_name(const CLI::App& root) {
  std::string name = "greenroom";
  for (const auto* at = &root; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    name += ' ' + at->get_name();
  }
  return name;
}

// The argument of the command that is an empty word, as a script's variable
// that is not set. It would name nothing, or the session of this directory,
// which nobody has named.
std::string empty_argument(const CLI::App& root) {
  for (const auto* option : innermost(root)->get_options())
    if (option->get_positional()
        && std::ranges::any_of(option->results(), [](const std::string& word) {
             return word.empty();
           }))
      return option->get_name(true);
  return {};
}

std::string what_helps(const api_error& e, const std::string& command) {
  if (e.status() == 401)
    return "give a key by GREENROOM_KEY or --key-file, or run `greenroom login "
           "URL`";
  if (auto next = e.next_step(); !next.empty())
    return std::string{next};
  // The server could say no more than that.
  if (e.status() == 400 && e.remediation().starts_with("Correct what"))
    return '`' + command + " --help` says what it takes";
  return e.remediation();
}

// What went wrong in one sentence, and what would help.
int tell(const std::exception_ptr& what, const std::string& command) {
  try {
    std::rethrow_exception(what);
  } catch (const usage_error& e) {
    say_error(e.what());
    return exit_code::usage;
  } catch (const api_error& e) {
    const auto as_it_is = command == "greenroom api";
    say_error(as_it_is ? e.what() : in_options(e.what()));
    if (auto help = what_helps(e, command); !help.empty())
      say("  " + help);
    return e.exit_code();
  } catch (const unreachable_server& e) {
    say_error(e.what());
    say("  " + e.remediation());
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

void invocation::tell_unknown_fields(const json& what) const {
  if (auto text = unknown_fields(what, options.json_fields); !text.empty())
    say("greenroom: " + text);
}

void invocation::refuse_json(const std::string& instead) const {
  if (options.how_to_print().format == output_format::as_json)
    throw usage_error("this command prints no JSON: " + instead);
}

asio::awaitable<bool> invocation::may_change() const {
  std::string target = "/whoami";
  auto key = co_await api.get(std::move(target));
  for (auto& scope : key.value("scopes", json::array()))
    if (scope == "admin" || scope == "sessions:execute"
        || scope == "projects:execute")
      co_return true;
  co_return false;
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

void let_session_out(std::string& session, std::string& second,
                     const char* example) {
  if (second.empty())
    std::swap(session, second);
  if (second.empty())
    throw usage_error(std::string{"something is missing: "} + example);
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

const CLI::App* command_line::find_command(const CLI::App& of,
                                           const std::string& name) {
  for (const auto* one : of.get_subcommands(nullptr))
    if (one->check_name(name))
      return one;
  return nullptr;
}

std::string command_line::unknown_command(const CLI::App& of,
                                          const std::string& word) {
  std::string meant;
  for (auto least = std::size_t{3};
       const auto* one : of.get_subcommands(nullptr))
    if (auto away = slips_between(word, one->get_name());
        away < least && away < word.size()) {
      least = away;
      meant = one->get_name();
    }
  return "there is no command \"" + word + '"'
         + (meant.empty() ? "" : ", did you mean \"" + meant + "\"?");
}

std::string command_line::fault_text(const CLI::App& root,
                                     const CLI::Error& error) {
  std::string text = error.what();
  const auto name = command_name(root);
  const auto takes_words = name == "greenroom exec" || name == "greenroom run";
  if (!text.empty())
    text.front() =
      static_cast<char>(std::tolower(static_cast<unsigned char>(text.front())));
  if (root.get_subcommands().empty() && error.get_name() == "RequiredError")
    text = "no command is given";
  if (auto word = word_for_command(root, error); !word.empty())
    text = unknown_command(*innermost(root), word);
  if (takes_words && dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr)
    text += "; the command stands after --, as in `greenroom exec SESSION -- "
            "ls -l`";
  return "greenroom: " + text + "\n  `" + name + " --help` says what "
         + (name == "greenroom" ? "there is\n" : "it takes\n");
}

void command_line::parse(CLI::App& root,
                         const std::vector<std::string>& words) {
  try {
    parse_words(root, words, false);
  } catch (const CLI::ExtrasError&) {
    // One word too many: that after --json was a field, and no session.
    parse_words(root, words, true);
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
    if (auto name = empty_argument(state_->set.root); !name.empty())
      throw usage_error(name + " is an empty word: is a variable not set?");
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
      code = tell(failure, command_name(state_->set.root));
    // What still waits (a read of the terminal, a signal) is of no more use.
    std::cout.flush();
    ::_exit(code);
  } catch (...) {
    return tell(std::current_exception(), command_name(state_->set.root));
  }
}

} // namespace greenroom::http::client
