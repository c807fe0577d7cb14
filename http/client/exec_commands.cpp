// Running commands in sessions, and seeing what they print.
#include "http/client/commands.hpp"

#include "http/client/errors.hpp"
#include "http/client/event_parser.hpp"
#include "http/client/follow_exec.hpp"
#include "http/client/live_list.hpp"
#include "http/client/printable.hpp"
#include "http/client/terminal_client.hpp"
#include "http/wire/message.hpp"
#include "messages/ids.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <CLI/CLI.hpp>

#include <array>
#include <csignal>
#include <memory>
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
  to.add_option("--timeout", options.timeout, "Kill it after this, e.g. 10m");
  to.add_option("-e,--env", options.env, "NAME=VALUE; may be repeated")
    ->allow_extra_args(false);
  to.add_flag("-i,--stdin", options.input, "Pass standard input on");
}

json exec_body(const exec_options& options,
               const std::vector<std::string>& words) {
  if (options.shell.empty() == words.empty())
    throw usage_error("give a command after --, e.g. greenroom exec SESSION -- "
                      "ls -l, or one for the shell by -c");
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
    auto at = one.find('=');
    if (at == 0 || at == std::string::npos)
      throw usage_error("--env takes NAME=VALUE, not \"" + one + '"');
    body["env"][one.substr(0, at)] = one.substr(at + 1);
  }
  if (options.terminal) {
    auto size = own_size();
    body["tty"] = {{"rows", size.rows}, {"cols", size.cols}};
  } else if (options.input) {
    body["stdin"] = "open";
  }
  return body;
}

// Why a command did not end by itself.
void tell_end(const json& exec) {
  auto status = exec.value("status", "");
  if (status == "exited" || status == "signaled")
    return;
  auto why = exec.value("reason", "");
  say("greenroom: " + status + (why.empty() ? "" : ": " + why));
}

int say_left(const session_ref& session, const std::string& exec_id) {
  say("\r\ngreenroom: the command runs on; come back by `greenroom attach "
      + session.id + ' ' + exec_id + '`');
  return exit_code::done;
}

// `stays` is set where the terminal is left and the command runs on.
asio::awaitable<int> run_in(invocation& now, session_ref session, json body,
                            exec_options options, bool& stays) {
  // Without a terminal of our own there is none to lend.
  if (options.terminal && ::isatty(STDIN_FILENO) != 1)
    throw usage_error("-t needs a terminal; use -i for input from elsewhere");
  auto started = co_await start_exec(now.api, session, std::move(body));
  auto exec_id = started.value("exec_id", "");
  if (options.detach) {
    now.show(
      started,
      {field_column("EXEC", "exec_id"), field_column("STATUS", "status")},
      "exec_id");
    co_return exit_code::done;
  }
  json record;
  if (options.terminal) {
    auto left = false;
    try {
      record = co_await attach(now.io, now.api, session, exec_id);
    } catch (const left_terminal&) {
      left = true;
    }
    stays = left;
    if (left)
      co_return say_left(session, exec_id);
  } else {
    follow_options how{options.input, true};
    record = co_await follow_exec(now.io, now.api, session, exec_id, how);
  }
  tell_end(record);
  co_return exit_code_of(record);
}

asio::awaitable<int> exec(invocation& now, const exec_options& options) {
  auto body = exec_body(options, now.options.words);
  auto session = co_await now.session(options.session);
  auto stays = false;
  auto code = co_await run_in(now, session, std::move(body), options, stays);
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
    "INT, a\nsecond one cancels it. A broken connection loses nothing.\n"
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

asio::awaitable<int> run(invocation& now, const run_options& options) {
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
  try {
    if (told == 0)
      code =
        co_await run_in(now, session, std::move(body), options.exec, stays);
  } catch (...) {
    failure = std::current_exception();
  }
  if (stays)
    say("greenroom: the session stays, too; end it by `greenroom end "
        + session.id + '`');
  else if (options.keep)
    say("greenroom: the session is " + session.id);
  else
    co_await discard(now, session);
  if (failure)
    std::rethrow_exception(failure);
  co_return code;
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
  made->footer("Example:\n  greenroom run --project demo -- make test");
}

asio::awaitable<int> shell(invocation& now, const std::string& word) {
  auto session = co_await now.session(word);
  exec_options options;
  options.terminal = true;
  std::vector<std::string> words{"bash", "-l"};
  auto body = exec_body(options, words);
  auto stays = false;
  auto code =
    co_await run_in(now, std::move(session), std::move(body), options, stays);
  co_return code;
}

asio::awaitable<int> attach_to(invocation& now, const std::string& word,
                               const std::string& exec_id) {
  auto session = co_await now.session(word);
  json record;
  auto left = false;
  try {
    record = co_await attach(now.io, now.api, session, exec_id);
  } catch (const left_terminal&) {
    left = true;
  }
  if (left)
    co_return say_left(session, exec_id);
  tell_end(record);
  co_return exit_code_of(record);
}

std::vector<column> exec_columns() {
  column what{"COMMAND", [](const json& one) {
                if (one.contains("argv") && one["argv"].is_array()) {
                  std::string all;
                  for (auto& word : one["argv"])
                    all += (all.empty() ? "" : " ") + word.get<std::string>();
                  return all;
                }
                auto text = one.value("command", "");
                return text.substr(0, text.find('\n'));
              }};
  return {field_column("EXEC", "exec_id"), field_column("STATUS", "status"),
          field_column("CODE", "exit_code"), age_column("AGE", "created_at"),
          what};
}

struct ps_options {
  std::string session;
  bool all = false;
  bool watch = false;
};

asio::awaitable<int> ps(invocation& now, const ps_options& options) {
  auto session = co_await now.session(options.session);
  live_list what;
  what.columns = exec_columns();
  what.name_field = "exec_id";
  what.ask = [&now, target = session.path() + "/execs"]() {
    return get_all(now.api, target, "execs");
  };
  if (!options.all)
    what.wanted = [](const json& one) {
      auto status = one.value("status", "");
      return status == "running" || status == "queued";
    };
  auto code = co_await show_list(now, std::move(what), options.watch);
  co_return code;
}

struct logs_options {
  std::string session;
  std::string exec_id;
  std::string stream = "both";
  bool follow = false;
};

asio::awaitable<int> logs(invocation& now, const logs_options& options) {
  auto session = co_await now.session(options.session);
  auto exec_id = options.exec_id;
  if (exec_id.empty()) {
    auto target = session.path() + "/execs?limit=1";
    auto page = co_await now.api.get(std::move(target));
    auto& execs = page["execs"];
    if (execs.empty())
      throw command_failed(exit_code::not_found,
                           "no command has run in session " + session.id);
    exec_id = execs[0].value("exec_id", "");
  }
  if (options.follow && options.stream == "both") {
    follow_options how;
    auto record = co_await follow_exec(now.io, now.api, session, exec_id, how);
    tell_end(record);
    co_return exit_code::done;
  }
  co_await copy_output(now.io, now.api, session, exec_id, options.stream,
                       options.follow);
  co_return exit_code::done;
}

asio::awaitable<int> stop(invocation& now, const std::string& word,
                          const std::string& exec_id,
                          const std::string& signal) {
  auto session = co_await now.session(word);
  auto path = session.path() + "/execs/" + escaped(exec_id);
  json exec;
  if (signal.empty()) {
    std::string method = "DELETE";
    json none;
    exec = co_await now.api.call(std::move(method), std::move(path),
                                 std::move(none));
  } else {
    auto target = path + "/signal";
    json body{{"signal", signal}};
    exec = co_await now.api.post(std::move(target), std::move(body));
  }
  now.show(exec, exec_columns(), "exec_id");
  co_return exit_code::done;
}

// One line an event, and output below it as it comes, but for what would steer
// the terminal: `logs` shows that as it is.
void show_event(const invocation& now, const server_event& event) {
  if (now.options.how_to_print().format == output_format::as_json) {
    auto data = json::parse(event.data, nullptr, false);
    print(json{{"id", event.id}, {"type", event.type}, {"data", data}}.dump()
          + "\n");
    return;
  }
  auto data = json::parse(event.data, nullptr, false);
  auto line = data.value("time", "") + "  " + event.type;
  constexpr std::array<const char*, 9> telling{
    "exec_id", "status", "exit_code", "command",      "stream",
    "data",    "branch", "commit",    "status_reason"};
  for (const auto* field : telling)
    if (auto found = data.find(field); found != data.end()) {
      auto text =
        found->is_string() ? found->get<std::string>() : found->dump();
      while (text.ends_with('\n'))
        text.pop_back();
      auto is_output = std::string_view{field} == "data";
      line += "  " + printable(text, is_output ? "\n\t" : "");
    }
  print(line + "\n");
}

asio::awaitable<int> watch(invocation& now, const std::string& word,
                           const std::string& from) {
  constexpr std::chrono::milliseconds silence{20'000};
  auto session = co_await now.session(word);
  event_parser events;
  asio::steady_timer timer{now.io};
  while (true) {
    request what;
    what.target = session.path() + "/events?from=" + escaped(from);
    if (!events.last_id().empty())
      what.headers.add("Last-Event-ID", events.last_id());
    try {
      auto stream = co_await now.api.open(std::move(what));
      events.restart();
      if (stream->status() == 204)
        co_return exit_code::done;
      while (true) {
        auto bytes = co_await stream->read(silence);
        if (bytes.empty())
          break;
        events.feed(bytes);
        while (auto event = events.next()) {
          show_event(now, *event);
          if (event->type == "session.ended")
            co_return exit_code::done;
        }
      }
    } catch (const wire::lost&) {
    } catch (const unreachable_server&) {
      if (events.last_id().empty())
        throw;
    }
    timer.expires_after(std::chrono::seconds{1});
    co_await timer.async_wait(asio::use_awaitable);
  }
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
  constexpr auto* what_session = "Id, a prefix of it, or branch";
  auto word = std::make_shared<std::string>();
  auto exec_id = std::make_shared<std::string>();
  auto* made =
    set.add(set.root, "shell", "A shell in a session; Enter, ~ and . leave it",
            [word](auto& now) { return shell(now, *word); });
  made->add_option("session", *word, what_session);

  word = std::make_shared<std::string>();
  made = set.add(set.root, "attach", "The terminal of a command that runs",
                 [=](auto& now) { return attach_to(now, *word, *exec_id); });
  made->add_option("session", *word, what_session)->required();
  made->add_option("exec", *exec_id, "The command's id")->required();

  auto ps_of = std::make_shared<ps_options>();
  made = set.add(set.root, "ps", "The commands that run in a session",
                 [=](auto& now) { return ps(now, *ps_of); });
  made->add_option("session", ps_of->session, what_session);
  made->add_flag("-a,--all", ps_of->all, "Also those that have ended");
  made->add_flag("-w,--watch", ps_of->watch, "Go on, and show what changes");

  auto logs_of = std::make_shared<logs_options>();
  made = set.add(set.root, "logs", "What a command has printed",
                 [=](auto& now) { return logs(now, *logs_of); });
  made->alias("output");
  made->add_option("session", logs_of->session, what_session);
  made->add_option("exec", logs_of->exec_id, "The command's id; else the last");
  made->add_flag("-f,--follow", logs_of->follow, "Until it has ended");
  made->add_option("--stream", logs_of->stream, "Only this one")
    ->check(CLI::IsMember({"stdout", "stderr", "both"}));

  word = std::make_shared<std::string>();
  auto ended = std::make_shared<std::string>();
  auto signal = std::make_shared<std::string>();
  made = set.add(set.root, "kill", "Cancel a command, or send it a signal",
                 [=](auto& now) { return stop(now, *word, *ended, *signal); });
  made->add_option("session", *word, what_session)->required();
  made->add_option("exec", *ended, "The command's id")->required();
  made->add_option("-s,--signal", *signal, "Only this signal, e.g. INT");

  word = std::make_shared<std::string>();
  auto from = std::make_shared<std::string>("now");
  made = set.add(set.root, "watch", "The events of a session, as they happen",
                 [=](auto& now) { return watch(now, *word, *from); });
  made->add_option("session", *word, what_session);
  made->add_option("--from", *from, "earliest, now, or an event's id");
}

} // namespace greenroom::http::client
