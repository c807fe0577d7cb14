// The commands of a session: its runner, and how they start and end.
#include "actors/session/session.hpp"

#include "actors/runner_link/link.hpp"
#include "messages/errors.hpp"
#include "runtime/disk/fsync_queue.hpp"
#include "runtime/exec/outcome.hpp"
#include "runtime/exec/output/output_log.hpp"
#include "runtime/exec/spec.hpp"
#include "runtime/runner/client/runner_client.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace greenroom {

namespace fs = std::filesystem;
namespace event = session::event;

namespace {

exec_outcome never_ran(exec_status status, std::string reason) {
  exec_outcome outcome;
  outcome.status = status;
  outcome.ended_at = now_ms();
  outcome.reason = std::move(reason);
  return outcome;
}

} // namespace

std::filesystem::path
session_actor_state::exec_dir(const std::string& exec_id) const {
  return dir_ / runner::exec_dir(exec_id);
}

// -- the runner ---------------------------------------------------------------

// The intent comes first: a revived session must know what to run.
std::optional<refusal>
session_actor_state::keep_exec(const std::string& exec_id) {
  auto& request = machine_.execs.at(exec_id).spec;
  auto dir = exec_dir(exec_id);
  try {
    // One that nobody knows was never admitted: the node died first.
    if (fs::exists(dir))
      fs::remove_all(dir);
    greenroom::keep_exec(dir, request,
                         resolve_command(request, project_, record(),
                                         {context_->shell, context_->max_output,
                                          context_->home_of(id())}));
    context_->syncer->mark_dirty(dir.parent_path());
    context_->syncer->mark_dirty(dir);
  } catch (const std::exception& e) {
    spdlog::error("session {}: exec {} cannot be written down: {}", id(),
                  exec_id, e.what());
    return refusal{errc::unavailable, "the server cannot write the command "
                                      "down, is its disk full?"};
  }
  return std::nullopt;
}

void session_actor_state::spawn_exec(const std::string& exec_id) {
  live_.try_emplace(exec_id, output_event_splitter{exec_id});
  if (runner_ == runner_state::up) {
    send_spawn(exec_id);
    return;
  }
  to_spawn_.push_back(exec_id);
  if (runner_ == runner_state::absent) {
    runner_ = runner_state::asked;
    starting_ = true;
    context_->runners->attach(id(), record().project_id, handle(), true);
  }
}

void session_actor_state::send_spawn(const std::string& exec_id) {
  try {
    mark_sent(exec_dir(exec_id));
  } catch (const std::exception& e) {
    spdlog::error("session {}: exec {}: {}", id(), exec_id, e.what());
    on_refused(exec_id, {errc::unavailable,
                         "the server's disk does not take that the command is "
                         "started"});
    return;
  }
  live_.at(exec_id).spawn_sent = true;
  // Where it does not get through, runner_down follows and settles it.
  context_->runners->send(id(), runner::spawn{exec_id});
}

void session_actor_state::kill_exec(const std::string& exec_id) {
  if (auto waiting = std::ranges::find(to_spawn_, exec_id);
      waiting != to_spawn_.end()) {
    to_spawn_.erase(waiting);
    on_ended(exec_id, 0,
             never_ran(exec_status::canceled,
                       "it was canceled by a request before it began"));
    return;
  }
  if (auto found = live_.find(exec_id); found != live_.end())
    found->second.cancel_wanted = true;
  // Where no runner is there yet, it is told when it is.
  context_->runners->send(id(), runner::cancel{exec_id});
}

// One may have survived; with none, what was sent to it is settled.
void session_actor_state::find_runner() {
  runner_ = runner_state::asked;
  context_->runners->attach(id(), record().project_id, handle(), false);
  look_soon();
}

void session_actor_state::stop_runner() {
  for (auto& exec_id : std::exchange(to_spawn_, {}))
    on_ended(exec_id, 0, never_ran(exec_status::canceled, "the session ended"));
  runner_ = runner_state::asked;
  context_->runners->stop(id(), handle());
}

// The runner is there, or still there: what it does not know has ended, or
// never began.
void session_actor_state::on_runner_up(const runner_up& up) {
  runner_ = runner_state::up;
  starting_ = false;
  std::vector<std::string> gone;
  for (auto& [exec_id, exec] : live_)
    if (exec.spawn_sent && !exec.end
        && std::ranges::find(up.execs, exec_id, &running_exec::exec_id)
             == up.execs.end())
      gone.push_back(exec_id);
  for (auto& exec_id : gone)
    settle(exec_id, "the session's runner does not know it any more");
  for (auto& running : up.execs) {
    auto found = live_.find(running.exec_id);
    // What nobody here asked for nobody would ever stop.
    if (found == live_.end() || found->second.cancel_wanted)
      context_->runners->send(id(), runner::cancel{running.exec_id});
    if (found == live_.end())
      continue;
    if (running.started_at != 0)
      on_started({running.exec_id, running.started_at});
    on_grown({running.exec_id, running.records});
  }
  for (auto& exec_id : std::exchange(to_spawn_, {}))
    send_spawn(exec_id);
  pass_held();
}

void session_actor_state::on_runner_down(const std::string& reason) {
  give_up_input(reason.empty() ? "the session's runner is gone" : reason);
  auto unsent = std::exchange(to_spawn_, {});
  auto failed = std::exchange(starting_, false);
  runner_ = runner_state::absent;
  stopped_ = machine_.at == session::step::stopping;
  on_ports({});
  std::vector<std::string> sent;
  for (auto& [exec_id, exec] : live_)
    if (exec.spawn_sent && !exec.end)
      sent.push_back(exec_id);
  for (auto& exec_id : sent)
    settle(exec_id, reason.empty() ? "the session's runner is gone" : reason);
  for (auto& exec_id : unsent)
    if (failed)
      on_refused(exec_id,
                 {errc::unavailable,
                  "the session's runner cannot be started: " + reason});
    else
      spawn_exec(exec_id); // it was only looked whether one is there
  report_stopped();
}

// An ending goes on when no exec has anything to say any more, for what is
// published after the end of the session nobody would ever see, and when no
// git writes in the checkout.
void session_actor_state::report_stopped() {
  if (!stopped_ || !edges_.empty())
    return;
  for (auto& [exec_id, exec] : live_)
    if (exec.spawn_sent || exec.end)
      return;
  stopped_ = false;
  feed(event::runner_stopped{now_ms()});
}

// The runner is not working on it: its exit record says how it ended, and
// where there is none nobody knows.
void session_actor_state::settle(const std::string& exec_id,
                                 const std::string& reason) {
  auto dir = exec_dir(exec_id);
  auto lost = never_ran(exec_status::lost, reason);
  std::uint64_t records = 0;
  try {
    if (auto record = read_exit_record(dir)) {
      on_ended(exec_id, record->records, outcome_of(*record));
      return;
    }
    records = recover_output_log(dir);
    output_log_reader log{dir};
    lost.stdout_bytes =
      log.size(output_stream::out) + log.size(output_stream::tty);
    lost.stderr_bytes = log.size(output_stream::err);
  } catch (const std::exception& e) {
    spdlog::error("session {}: exec {}: {}", id(), exec_id, e.what());
  }
  on_ended(exec_id, records, std::move(lost));
}

void session_actor_state::on_started(const exec_started& news) {
  feed(event::exec_running{news.exec_id, news.time});
}

void session_actor_state::on_refused(const std::string& exec_id,
                                     const refusal& why) {
  if (auto found = live_.find(exec_id); found != live_.end())
    for (auto& w : std::exchange(found->second.waiters, {}))
      refuse(w.who, why);
  on_ended(exec_id, 0, never_ran(exec_status::canceled, why.message));
}

void session_actor_state::on_grown(const exec_grown& news) {
  auto found = live_.find(news.exec_id);
  if (found == live_.end() || found->second.end)
    return;
  auto& exec = found->second;
  exec.records = std::max(exec.records, news.records);
  // Behind what is in the mailbox already: a turn takes all of that together.
  go_on_soon(news.exec_id, exec);
}

void session_actor_state::on_ended(const std::string& exec_id,
                                   std::uint64_t records,
                                   exec_outcome outcome) {
  auto found = live_.find(exec_id);
  if (found == live_.end() || found->second.end)
    return;
  auto& exec = found->second;
  exec.records = std::max(exec.records, records);
  exec.end = std::move(outcome);
  if (!exec.going_on)
    pump_output(exec_id);
}

void session_actor_state::report_load() {
  std::uint32_t running = machine_.running;
  if (running == reported_load_)
    return;
  reported_load_ = running;
  view_ = {};
  self_->send(supervisor_, session_load{id(), running});
}

} // namespace greenroom
