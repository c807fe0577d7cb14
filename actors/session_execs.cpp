// The commands of a session: its runner, their output, and who waits for them.
#include "actors/session.hpp"

#include "actors/runner_link.hpp"
#include "messages/errors.hpp"
#include "runtime/base/files.hpp"
#include "runtime/events/encode.hpp"
#include "runtime/logs/output_log.hpp"
#include "runtime/logs/syncer.hpp"
#include "runtime/processes/exec_request.hpp"
#include "runtime/processes/outcome.hpp"
#include "runtime/processes/runner_client.hpp"
#include "runtime/views/views.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace greenroom {

namespace in = session::in;

namespace {

// How much output one turn of the actor announces before others get theirs.
constexpr std::size_t records_per_turn = 64;
constexpr std::uint64_t bytes_per_turn = 256 * 1024;

exec_outcome never_ran(exec_status status, std::string reason) {
  exec_outcome outcome;
  outcome.status = status;
  outcome.ended_at = now_ms();
  outcome.reason = std::move(reason);
  return outcome;
}

} // namespace

std::filesystem::path session_self::exec_dir(const std::string& exec_id) const {
  return dir_ / runner::exec_dir(exec_id);
}

// -- the runner ---------------------------------------------------------------

void session_self::spawn_exec(const std::string& exec_id) {
  auto& exec = machine_.execs.at(exec_id);
  live_.try_emplace(exec_id, output_cutter{exec_id});
  try {
    write_exec_spec(
      dir_, exec_id,
      resolve_command(exec.spec, project_, record(),
                      {context_->shell, context_->max_output, dir_ / "home"}));
  } catch (const std::exception& e) {
    spdlog::error("session {}: exec {} cannot be written down: {}", id(),
                  exec_id, e.what());
    on_refused(exec_id, {errc::unavailable,
                         "the server cannot write the command down, is its "
                         "disk full?"});
    return;
  }
  if (runner_ == runner_state::up) {
    send_spawn(exec_id);
    return;
  }
  to_spawn_.push_back(exec_id);
  if (runner_ == runner_state::absent) {
    runner_ = runner_state::asked;
    starting_ = true;
    context_->runners->attach(id(), handle(), true);
  }
}

void session_self::send_spawn(const std::string& exec_id) {
  live_.at(exec_id).spawn_sent = true;
  // Where it does not get through, runner_down follows and settles it.
  context_->runners->send(id(), runner::spawn{exec_id});
}

void session_self::kill_exec(const std::string& exec_id) {
  if (auto waiting = std::ranges::find(to_spawn_, exec_id);
      waiting != to_spawn_.end()) {
    to_spawn_.erase(waiting);
    on_ended(exec_id, 0, never_ran(exec_status::canceled, ""));
    return;
  }
  if (auto found = live_.find(exec_id); found != live_.end())
    found->second.cancel_wanted = true;
  // Where no runner is there yet, it is told when it is.
  context_->runners->send(id(), runner::cancel{exec_id});
}

void session_self::stop_runner() {
  for (auto& exec_id : std::exchange(to_spawn_, {}))
    on_ended(exec_id, 0, never_ran(exec_status::canceled, "the session ended"));
  runner_ = runner_state::asked;
  context_->runners->stop(id(), handle());
}

// The runner is there, or still there: what it does not know has ended, or
// never began.
void session_self::on_runner_up(const runner_up& up) {
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
}

void session_self::on_runner_down(const std::string& reason) {
  auto unsent = std::exchange(to_spawn_, {});
  auto failed = std::exchange(starting_, false);
  runner_ = runner_state::absent;
  stopped_ = machine_.at == session::step::stopping;
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

// An ending goes on when no exec has anything to say any more: what is
// published after the end of the session nobody would ever see.
void session_self::report_stopped() {
  if (!stopped_)
    return;
  for (auto& [exec_id, exec] : live_)
    if (exec.spawn_sent || exec.end)
      return;
  stopped_ = false;
  feed(in::runner_stopped{now_ms()});
}

// The runner is not working on it: its exit record says how it ended, and
// where there is none nobody knows.
void session_self::settle(const std::string& exec_id,
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
    lost.stdout_bytes = log.size(output_stream::out);
    lost.stderr_bytes = log.size(output_stream::err);
  } catch (const std::exception& e) {
    spdlog::error("session {}: exec {}: {}", id(), exec_id, e.what());
  }
  on_ended(exec_id, records, std::move(lost));
}

void session_self::on_started(const exec_started& news) {
  feed(in::exec_started{news.exec_id, news.time});
}

void session_self::on_refused(const std::string& exec_id, const refusal& why) {
  if (auto found = live_.find(exec_id); found != live_.end())
    for (auto& w : std::exchange(found->second.waiters, {}))
      refuse(w.who, why);
  on_ended(exec_id, 0, never_ran(exec_status::canceled, why.message));
}

void session_self::on_grown(const exec_grown& news) {
  auto found = live_.find(news.exec_id);
  if (found == live_.end() || found->second.end)
    return;
  auto& exec = found->second;
  exec.records = std::max(exec.records, news.records);
  if (!exec.going_on)
    pump_output(news.exec_id);
}

void session_self::on_ended(const std::string& exec_id, std::uint64_t records,
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

// -- output -------------------------------------------------------------------

void session_self::go_on_soon(const std::string& exec_id, live_exec& exec) {
  if (!std::exchange(exec.going_on, true))
    self_->send(self_, go_on{exec_id});
}

// Announces what the log has and the timeline has not, a bounded piece a turn,
// so that others get theirs in between; the exec's end comes after its last
// byte.
void session_self::pump_output(const std::string& exec_id) {
  auto found = live_.find(exec_id);
  if (found == live_.end() || !backlog_.empty())
    return;
  auto& exec = found->second;
  if (exec.cutter.records() == exec.records && !exec.end)
    return;
  auto before = exec.cutter;
  bool all = false;
  try {
    all = announce_piece(exec_id, exec);
  } catch (const std::exception& e) {
    spdlog::error("session {}: output of exec {}: {}", id(), exec_id, e.what());
    exec.cutter = std::move(before);
    if (!std::exchange(retrying_, true))
      self_->delayed_send(self_, std::chrono::seconds{1}, try_again{});
    return;
  }
  if (!all)
    go_on_soon(exec_id, exec);
  else if (exec.end)
    feed(in::exec_ended{exec_id, *exec.end});
}

// True if that was all. Throws where the logs cannot be read or the timeline
// takes no more; nothing is announced then.
bool session_self::announce_piece(const std::string& exec_id, live_exec& exec) {
  std::vector<timeline_entry> entries;
  auto wanted = exec.records - std::min(exec.records, exec.cutter.records());
  output_log_reader log{exec_dir(exec_id)};
  auto read = [&log](output_stream stream, std::uint64_t offset,
                     std::span<char> out) {
    return log.read(stream, offset, out);
  };
  auto records = log.records(exec.cutter.records(),
                             std::min<std::uint64_t>(wanted, records_per_turn));
  std::size_t taken = 0;
  for (std::uint64_t bytes = 0;
       taken < records.size() && (taken == 0 || bytes < bytes_per_turn);
       ++taken)
    bytes += records[taken].length;
  // A log that is shorter than it was said to be is all there will be.
  auto all = taken == wanted || records.empty();
  records.resize(taken);
  exec.cutter.take(records, read, entries);
  if (all && exec.end)
    exec.cutter.finish(read, entries);
  if (!entries.empty()) {
    auto after = timeline_->last_id().seq;
    if (!append(entries))
      throw std::runtime_error("the timeline takes no events");
    broadcast(entries, after);
  }
  for (auto& record : records)
    exec.printed[index_of(record.stream)] += record.length + record.lost;
  context_->syncer->touched(exec_dir(exec_id));
  return all;
}

// -- who waits ----------------------------------------------------------------

void session_self::wait_for(const std::string& exec_id, session::ticket who,
                            bool end) {
  auto status = machine_.execs.at(exec_id).status;
  auto found = live_.find(exec_id);
  auto in_line =
    std::ranges::find(machine_.waiting, exec_id) != machine_.waiting.end();
  if (is_over(status)
      || (!end && (in_line || status == exec_status::running))) {
    answer_exec(who, exec_id);
    return;
  }
  if (found == live_.end())
    found = live_.try_emplace(exec_id, output_cutter{exec_id}).first;
  found->second.waiters.push_back({who, end});
}

void session_self::wake_waiters(const std::string& exec_id, bool ended) {
  auto found = live_.find(exec_id);
  if (found == live_.end())
    return;
  std::vector<waiter> staying;
  for (auto& w : std::exchange(found->second.waiters, {}))
    if (ended || !w.until_end)
      answer_exec(w.who, exec_id);
    else
      staying.push_back(w);
  if (ended) {
    live_.erase(exec_id);
    report_stopped();
  } else {
    found->second.waiters = std::move(staying);
  }
}

void session_self::give_up_waiting(session::ticket who) {
  if (!asked_.contains(who))
    return;
  for (auto& [exec_id, exec] : live_) {
    auto waiting = std::ranges::find(exec.waiters, who, &waiter::who);
    if (waiting == exec.waiters.end())
      continue;
    if (machine_.execs.at(exec_id).status == exec_status::queued
        && std::ranges::find(machine_.waiting, exec_id)
             == machine_.waiting.end()) {
      // Not started yet, and the answer says that it was: wait for that.
      waiting->until_end = false;
      return;
    }
    exec.waiters.erase(waiting);
    waits_.erase(who);
    answer_exec(who, exec_id);
    return;
  }
}

void session_self::answer_exec(session::ticket who,
                               const std::string& exec_id) {
  auto waited = waits_.contains(who);
  auto promise = asker(who);
  if (!promise)
    return;
  auto& exec = machine_.execs.at(exec_id);
  auto json = json_of(exec);
  auto ended = is_over(exec.status);
  if (waited && ended) {
    output_log_reader log{exec_dir(exec_id)};
    for (auto stream : {output_stream::out, output_stream::err}) {
      std::string text(
        std::min<std::uint64_t>(log.size(stream), max_inline_output), '\0');
      text.resize(log.read(stream, 0, text));
      add_output(json, greenroom::name(stream), text);
    }
  }
  promise->deliver(exec_view{shared_text{to_text(json)}, waited && ended});
}

// -- what clients see ---------------------------------------------------------

nlohmann::ordered_json session_self::json_of(const exec_record& exec) const {
  live_output progress;
  if (is_over(exec.status)) {
    progress.stdout_bytes = exec.outcome.stdout_bytes;
    progress.stderr_bytes = exec.outcome.stderr_bytes;
  } else if (auto found = live_.find(exec.spec.exec_id); found != live_.end()) {
    progress.stdout_bytes = found->second.printed[index_of(output_stream::out)];
    progress.stderr_bytes = found->second.printed[index_of(output_stream::err)];
  }
  if (exec.status == exec_status::queued) {
    auto place = std::ranges::find(machine_.waiting, exec.spec.exec_id);
    if (place != machine_.waiting.end())
      progress.queue_position =
        static_cast<std::size_t>(place - machine_.waiting.begin()) + 1;
  }
  return exec_json(record().project_id, id(), exec, progress);
}

exec_page session_self::page_of_execs(const list_execs& request) const {
  auto& order = machine_.order;
  auto next = order.rbegin();
  if (!request.cursor.empty()) {
    next = std::find(order.rbegin(), order.rend(), request.cursor);
    if (next != order.rend())
      ++next;
  }
  auto list = nlohmann::ordered_json::array();
  exec_page page;
  for (; next != order.rend(); ++next) {
    if (request.limit != 0 && list.size() == request.limit) {
      page.next_cursor = *std::prev(next);
      break;
    }
    list.push_back(json_of(machine_.execs.at(*next)));
  }
  page.json = shared_text{to_text(list)};
  return page;
}

void session_self::report_load() {
  std::uint32_t running = machine_.running;
  if (running == reported_load_)
    return;
  reported_load_ = running;
  view_ = {};
  self_->send(supervisor_, session_load{id(), running});
}

} // namespace greenroom
