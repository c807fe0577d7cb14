// Running commands in sessions, on a terminal or without.
#include "http/client/commands.hpp"

#include "http/client/errors.hpp"
#include "http/client/follow_exec.hpp"
#include "http/client/forms.hpp"
#include "http/client/id_choice.hpp"
#include "http/client/terminal_client.hpp"
#include "messages/ids.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdint>
#include <memory>
#include <optional>
#include <unistd.h>
#include <utility>

namespace greenroom::http::client {

namespace {

struct exec_options {
  std::string session;
  std::string shell; // a command for the shell, instead of words
  std::string cwd;
  std::string timeout;
  std::vector<std::string> env;
  bool input = false;
  bool terminal = false;
  bool detach = false;
};

void add_exec_options(CLI::App& to, exec_options& options) {
  to.add_option("-c,--shell", options.shell,
                "A command for the session's shell, instead of words after --");
  to.add_option("--cwd", options.cwd, "A directory of the checkout");
  to.add_option("--timeout", options.timeout, "Kill it after this, e.g. 10m")
    ->check(form::duration);
  to.add_option("-e,--env", options.env, "NAME=VALUE; may be repeated")
    ->allow_extra_args(false)
    ->check(form::variable);
  to.add_flag("-i,--stdin", options.input, "Pass standard input on");
}

json exec_body(const exec_options& options,
               const std::vector<std::string>& words) {
  if (options.shell.empty() == words.empty())
    throw usage_error("give a command after --, e.g. greenroom exec SESSION -- "
                      "ls -l, or one for the shell by -c");
  // Without a terminal of our own there is none to lend.
  if (options.terminal && ::isatty(STDIN_FILENO) != 1)
    throw usage_error("-t needs a terminal; use -i for input from elsewhere");
  json body{{"exec_id", make_id()}};
  if (words.empty())
    body["command"] = options.shell;
  else
    body["argv"] = words;
  if (!options.cwd.empty())
    body["cwd"] = options.cwd;
  if (!options.timeout.empty())
    body["timeout"] = options.timeout;
  for (auto& one : options.env) {
    auto at = one.find('='); // form::variable has seen it
    body["env"][one.substr(0, at)] = one.substr(at + 1);
  }
  if (options.terminal) {
    auto size = own_size();
    body["tty"] = {{"rows", size.rows}, {"cols", size.cols}};
  } else if (options.input) {
    body["stdin"] = "open";
  }
  body_text(body); // what cannot be sent is refused before anything is made
  return body;
}

void say_left(const session_ref& session, const std::string& exec_id) {
  say_if_read(
    "\r\ngreenroom: the command runs on; come back by `greenroom attach "
    + session.id + ' ' + exec_id + '`');
}

// Whose the session is that a command runs in.
enum class session_is : std::uint8_t { given, ours };

// On our terminal until it has ended; nothing: it was left, and runs on.
asio::awaitable<std::optional<json>>
run_on_terminal(invocation& now, session_ref session, std::string exec_id,
                attach_from from, session_is whose) {
  try {
    auto record = co_await attach(now.io, now.api, session, exec_id, from);
    co_return record;
  } catch (const left_terminal&) {
    say_left(session, exec_id);
  } catch (const terminal_lost&) {
    if (whose == session_is::given)
      say_left(session, exec_id);
    throw;
  }
  co_return std::nullopt;
}

// Its record; nothing: its terminal was left.
asio::awaitable<std::optional<json>>
run_to_end(invocation& now, session_ref session, std::string exec_id,
           const exec_options& options, session_is whose) {
  std::optional<json> record;
  auto unread = false;
  try {
    if (options.terminal) {
      record = co_await run_on_terminal(now, session, exec_id,
                                        attach_from::beginning, whose);
    } else {
      follow_options how{options.input, true, whose == session_is::ours};
      record = co_await follow_exec(now.io, now.api, session, exec_id, how);
    }
  } catch (const unread_output&) {
    unread = true;
  }
  if (!unread)
    co_return record;
  if (whose == session_is::given)
    co_await signal_unread(now.api, session, exec_id);
  throw unread_output();
}

// As a shell has it for what it cannot run; 0: something else is wrong.
int code_of_refusal(const api_error& why) {
  const std::string_view text = why.what();
  return why.status() != 400                               ? 0
         : text.starts_with("command not found: ")         ? 127
         : text.starts_with("command is not executable: ") ? 126
                                                           : 0;
}

// Until the server has answered nobody knows whether the command has begun.
asio::awaitable<void> leave_before_start(asio::signal_set& signals,
                                         std::string session_id) {
  error_code error;
  auto signal = co_await signals.async_wait(
    asio::redirect_error(asio::use_awaitable, error));
  if (error)
    co_return;
  say_if_read("greenroom: the command may have begun; `greenroom ps "
              + session_id + "` tells");
  ::_exit(128 + signal);
}

asio::awaitable<json> start_or_fail(invocation& now, session_ref session,
                                    json body, session_is whose) {
  asio::signal_set signals{now.io};
  if (whose == session_is::given) {
    for (auto one : {SIGINT, SIGTERM, SIGHUP})
      signals.add(one);
    asio::co_spawn(now.io, leave_before_start(signals, session.id),
                   asio::detached);
  }
  try {
    auto started =
      co_await start_exec(now.api, std::move(session), std::move(body));
    co_return started;
  } catch (const api_error& e) {
    if (auto code = code_of_refusal(e); code != 0)
      throw command_failed(code, e.what());
    throw;
  }
}

// It prints nothing until others have ended.
void say_queued(const json& exec) {
  const auto place = exec.value("queue_position", 1);
  say("greenroom: the command waits until others have ended: as many run as may"
      + (place > 1 ? ", and " + std::to_string(place - 1)
                       + (place > 2 ? " wait" : " waits") + " before it"
                   : std::string{})
      + "; `greenroom ps " + exec.value("session_id", "SESSION")
      + "` shows them");
}

// `stays` is set where the terminal is left and the command runs on.
asio::awaitable<int> run_in(invocation& now, session_ref session, json body,
                            exec_options options, session_is whose,
                            bool& stays) {
  auto started = co_await start_or_fail(now, session, std::move(body), whose);
  auto exec_id = started.value("exec_id", "");
  if (started.value("status", "") == "queued")
    say_queued(started);
  if (options.detach) {
    // For a script's variable; what else there is to know it can ask for.
    if (now.options.how_to_print().format == output_format::as_table) {
      print(exec_id + '\n');
      co_return exit_code::done;
    }
    now.show(
      started,
      {field_column("EXEC", "exec_id"), field_column("STATUS", "status")},
      "exec_id");
    co_return exit_code::done;
  }
  auto record = co_await run_to_end(now, session, exec_id, options, whose);
  stays = !record;
  if (!record)
    co_return exit_code::done;
  tell_end(*record);
  co_return exit_code_of(*record);
}

asio::awaitable<int> run_in_given(invocation& now, session_ref session,
                                  json body, exec_options options) {
  auto stays = false;
  auto code = co_await run_in(now, std::move(session), std::move(body),
                              std::move(options), session_is::given, stays);
  co_return code;
}

// The output is the command's own.
void refuse_json_of_output(const invocation& now, bool detached) {
  if (!detached)
    now.refuse_json("with -d it has the command's record, as `greenroom ps "
                    "--all --json` does");
}

asio::awaitable<int> exec(invocation& now, const exec_options& options) {
  refuse_json_of_output(now, options.detach);
  auto body = exec_body(options, now.options.words);
  auto session = co_await now.session(options.session);
  auto code = co_await run_in_given(now, session, std::move(body), options);
  co_return code;
}

void add_exec(command_set& set) {
  auto options = std::make_shared<exec_options>();
  auto* made =
    set.add(set.root, "exec", "Run a command in a session",
            [options](invocation& now) { return exec(now, *options); });
  made->parse_complete_callback([&set] { set.takes_words = true; });
  made->add_option("session", options->session,
                   "Id, a prefix of it, or branch; else the one that this "
                   "directory stands for");
  add_exec_options(*made, *options);
  made->add_flag("-t,--tty", options->terminal, "On a terminal: this one");
  made->add_flag("-d,--detach", options->detach,
                 "Only start it, and print its id");
  made->footer(
    "Its output is shown live, its exit code is ours; 128+n for signal n, 124 "
    "for\na time-out, 125 where what became of it is not known. Ctrl-C sends "
    "INT, a\nsecond one cancels it. A broken connection loses nothing; after "
    "ten minutes\nwithout the server 69, with the command that shows the "
    "rest.\n"
    "Examples:\n  greenroom exec fix-login -- make test\n"
    "  tar c src | greenroom exec -i fix-login -- tar x\n"
    "  greenroom exec -it fix-login -- vim README.md");
}

struct run_options {
  exec_options exec;
  std::string from;
  bool keep = false;
};

// What was told while there was no command yet to be told it.
asio::awaitable<void> note_signal(asio::signal_set& signals, int& told) {
  told = co_await signals.async_wait(asio::use_awaitable);
}

// Ends a session that was made for one command. That it cannot be ended changes
// nothing of how the command went.
asio::awaitable<void> discard(invocation& now, session_ref session) {
  auto target = session.path() + "/discard";
  json nothing = json::object();
  try {
    auto ended = co_await now.api.post(std::move(target), std::move(nothing));
    for (auto& one : ended.value("rescue_refs", json::array()))
      say("greenroom: what it changed is kept under " + one.value("ref", ""));
  } catch (const std::exception& e) {
    say("greenroom: session " + session.id + " is not ended: " + e.what());
  }
}

// Who is told again while it ends leaves it as it is.
asio::awaitable<void> leave_when_told(asio::signal_set& signals,
                                      std::string session_id) {
  auto signal = co_await signals.async_wait(asio::use_awaitable);
  say("greenroom: session " + session_id
      + " may go on; end it with `greenroom end " + session_id + '`');
  ::_exit(128 + signal);
}

// What becomes of the session that was made for one command.
asio::awaitable<void> leave_session(invocation& now, session_ref session,
                                    bool stays, bool keep) {
  if (stays) {
    say("greenroom: the session stays, too; end it by `greenroom end "
        + session.id + '`');
    co_return;
  }
  if (keep) {
    say("greenroom: the session is " + session.id);
    co_return;
  }
  asio::signal_set signals{now.io, SIGINT, SIGTERM, SIGHUP};
  asio::co_spawn(now.io, leave_when_told(signals, session.id), asio::detached);
  co_await discard(now, session);
}

asio::awaitable<int> run(invocation& now, const run_options& options) {
  now.refuse_json("the output is the command's own");
  auto body = exec_body(options.exec, now.options.words);
  auto project = co_await choose_project(now.api, now.options.project);
  json wanted{{"new_branch", "run-" + make_id().substr(0, 10)}};
  if (!options.from.empty())
    wanted["from_ref"] = options.from;
  auto target = "/projects/" + escaped(project) + "/sessions";
  asio::signal_set signals{now.io, SIGINT, SIGTERM, SIGHUP};
  int told = 0;
  asio::co_spawn(now.io, note_signal(signals, told), asio::detached);
  auto made = co_await now.api.post(std::move(target), std::move(wanted));
  session_ref session{project, made.value("id", "")};
  std::exception_ptr failure;
  auto code = 128 + told;
  auto stays = false;
  const auto whose = options.keep ? session_is::given : session_is::ours;
  try {
    if (told == 0)
      code = co_await run_in(now, session, std::move(body), options.exec, whose,
                             stays);
  } catch (...) {
    failure = std::current_exception();
  }
  co_await leave_session(now, session, stays, options.keep);
  if (failure)
    std::rethrow_exception(failure);
  co_return told == SIGTERM || told == SIGHUP ? 128 + told : code;
}

void add_run(command_set& set) {
  auto options = std::make_shared<run_options>();
  auto* made =
    set.add(set.root, "run", "Run a command in a new session, and end that",
            [options](invocation& now) { return run(now, *options); });
  made->parse_complete_callback([&set] { set.takes_words = true; });
  add_exec_options(*made, options->exec);
  made->add_flag("-t,--tty", options->exec.terminal, "On a terminal: this one");
  made->add_option("--from", options->from,
                   "A branch, tag or commit; else the default branch");
  made->add_flag("--keep", options->keep, "Leave the session");
  made->footer("The session ends with the command, also where this is told to "
               "end (TERM, HUP) or\nnobody reads its output any more.\n"
               "Example:\n  greenroom run --project demo -- make test");
}

asio::awaitable<int> shell(invocation& now, const std::string& word) {
  now.refuse_json("a shell is for people");
  if (::isatty(STDIN_FILENO) != 1)
    throw usage_error("a shell needs a terminal; `greenroom exec SESSION -- "
                      "COMMAND` needs none, and passes standard input on with "
                      "-i");
  auto session = co_await now.session(word);
  exec_options options;
  options.terminal = true;
  std::vector<std::string> words{"bash", "-l"};
  auto body = exec_body(options, words);
  auto code =
    co_await run_in_given(now, std::move(session), std::move(body), options);
  co_return code;
}

asio::awaitable<int> attach_to(invocation& now, std::string word,
                               std::string exec_id) {
  now.refuse_json("`greenroom ps --all --json` has the commands' records");
  let_session_out(word, exec_id, "greenroom attach [SESSION] EXEC");
  auto session = co_await now.session(word);
  exec_id = co_await choose_exec(now.api, session, exec_id);
  const auto may_type = co_await now.may_change();
  if (!may_type)
    say(
      "greenroom: this key may only watch: what is typed goes nowhere; Enter, "
      "~ and . leave");
  auto record = co_await run_on_terminal(
    now, session, exec_id, attach_from::screenful, session_is::given);
  if (!record)
    co_return exit_code::done;
  tell_end(*record);
  co_return exit_code_of(*record);
}

} // namespace

asio::awaitable<json> start_exec(api_client& api, session_ref session,
                                 json body) {
  auto target = session.path() + "/exec";
  auto started = co_await api.post(std::move(target), std::move(body));
  co_return started;
}

void add_exec_commands(command_set& set) {
  add_exec(set);
  add_run(set);
  constexpr auto* what_session = "Id, a prefix of it, or branch; else the one "
                                 "that this directory stands for";
  auto word = std::make_shared<std::string>();
  auto exec_id = std::make_shared<std::string>();
  auto* made =
    set.add(set.root, "shell", "A shell in a session; Enter, ~ and . leave it",
            [word](auto& now) { return shell(now, *word); });
  made->add_option("session", *word, what_session);

  word = std::make_shared<std::string>();
  made = set.add(set.root, "attach", "The terminal of a command that runs",
                 [=](auto& now) { return attach_to(now, *word, *exec_id); });
  made->add_option("session", *word, what_session);
  made->add_option("exec", *exec_id, "The command's id, or a prefix of it");
}

} // namespace greenroom::http::client
