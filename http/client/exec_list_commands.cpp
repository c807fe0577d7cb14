// The commands of sessions: which there are, what they have printed, and ending
// them.
#include "http/client/commands.hpp"

#include "http/client/errors.hpp"
#include "http/client/follow_exec.hpp"
#include "http/client/forms.hpp"
#include "http/client/id_choice.hpp"
#include "http/client/live_list.hpp"

#include <CLI/CLI.hpp>

#include <cctype>
#include <memory>
#include <string>
#include <utility>

namespace greenroom::http::client {

namespace {

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
  return {field_column("EXEC", "exec_id"),   field_column("STATUS", "status"),
          field_column("CODE", "exit_code"), past_column("AGE", "created_at"),
          key_column("BY", "created_by"),    what};
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
  now.refuse_json("`greenroom ps --all --json` has the commands' records");
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
  } else {
    exec_id = co_await choose_exec(now.api, session, exec_id);
  }
  if (options.follow && options.stream == "both") {
    follow_options how;
    auto record = co_await follow_exec(now.io, now.api, session, exec_id, how);
    tell_end(record);
    co_return exit_code::done;
  }
  output_choice what{options.stream, 0, options.follow};
  co_await copy_output(now.io, now.api, session, exec_id, std::move(what));
  co_return exit_code::done;
}

asio::awaitable<int> stop(invocation& now, std::string word,
                          std::string exec_id, const std::string& signal) {
  let_session_out(word, exec_id, "greenroom kill [SESSION] EXEC");
  auto session = co_await now.session(word);
  exec_id = co_await choose_exec(now.api, session, exec_id);
  auto path = session.path() + "/execs/" + escaped(exec_id);
  json exec;
  if (signal.empty()) {
    exec = co_await now.api.remove_again(std::move(path));
  } else {
    auto target = path + "/signal";
    json body{{"signal", signal}};
    if (std::isdigit(static_cast<unsigned char>(signal.front())) != 0)
      body["signal"] = std::stoi(signal);
    exec = co_await now.api.post(std::move(target), std::move(body));
  }
  now.show(exec, exec_columns(), "exec_id");
  co_return exit_code::done;
}

} // namespace

void add_exec_list_commands(command_set& set) {
  constexpr auto* what_session = "Id, a prefix of it, or branch; else the one "
                                 "that this directory stands for";
  auto ps_of = std::make_shared<ps_options>();
  auto* made = set.add(set.root, "ps", "The commands that run in a session",
                       [=](auto& now) { return ps(now, *ps_of); });
  made->add_option("session", ps_of->session, what_session);
  made->add_flag("-a,--all", ps_of->all, "Also those that have ended");
  made->add_flag("-w,--watch", ps_of->watch, "Go on, and show what changes");

  auto logs_of = std::make_shared<logs_options>();
  made = set.add(set.root, "logs", "What a command has printed",
                 [=](auto& now) { return logs(now, *logs_of); });
  made->alias("output");
  made->add_option("session", logs_of->session, what_session);
  made->add_option("exec", logs_of->exec_id,
                   "The command's id, or a prefix of it; else the last");
  made->add_flag("-f,--follow", logs_of->follow, "Until it has ended");
  made->add_option("--stream", logs_of->stream, "Only this one; else both")
    ->check(CLI::IsMember({"stdout", "stderr", "both"}));

  auto word = std::make_shared<std::string>();
  auto ended = std::make_shared<std::string>();
  auto signal = std::make_shared<std::string>();
  made = set.add(set.root, "kill", "Cancel a command, or send it a signal",
                 [=](auto& now) { return stop(now, *word, *ended, *signal); });
  made->add_option("session", *word, what_session);
  made->add_option("exec", *ended, "The command's id, or a prefix of it");
  made->add_option("-s,--signal", *signal, "Only this signal, e.g. INT or 2")
    ->check(form::signal);
}

} // namespace greenroom::http::client
