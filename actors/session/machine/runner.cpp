// The session's runner, and the execs that it runs.
#include "actors/session/machine/transitions.hpp"

#include <algorithm>

namespace greenroom::session {

namespace {

constexpr const char* runner_is_gone = "the session's runner is gone";
// As a runner says it, which does not know why.
const std::string without_why = "the session ended";
const std::string canceled_by_somebody = "it was canceled by a request";
const std::string signaled_by_somebody = "the signal was sent by a request";

exec_outcome never_ran(unix_ms now, std::string reason) {
  exec_outcome outcome;
  outcome.status = exec_status::canceled;
  outcome.ended_at = now;
  outcome.reason = std::move(reason);
  return outcome;
}

// Of one that somebody ended; else as it was.
std::string by_whom(const run& what, const exec_outcome& outcome) {
  if (outcome.status == exec_status::canceled && what.canceled)
    return "it was canceled by " + to_words(what.canceler);
  if (outcome.status == exec_status::signaled && what.signal != 0
      && what.signal == outcome.signal)
    return "the signal was sent by " + to_words(what.signaler);
  return outcome.reason;
}

} // namespace

std::string canceled_early(const caller& by) {
  return "it was canceled by " + to_words(by) + " before it began";
}

void machine::spawn(const std::string& exec_id) {
  ++s.running;
  s.runs[exec_id] = {};
  launch(exec_id);
}

// At once where the runner is up, else when it is. While an ending is on its
// way to the store nothing starts: it may yet be refused.
void machine::launch(const std::string& exec_id) {
  if (s.runner == runner_state::up && accepts_work()) {
    s.runs.at(exec_id).sent = true;
    return add(effect::spawn_exec{exec_id});
  }
  s.unsent.push_back(exec_id);
  if (s.runner == runner_state::absent && accepts_work()) {
    s.runner = runner_state::asked;
    s.starting = true;
    add(effect::start_runner{});
  }
}

void machine::launch_unsent() {
  for (auto& exec_id : std::exchange(s.unsent, {}))
    launch(exec_id);
}

// The runner was told of it, whatever has been decided since.
void machine::note_sent(const std::string& exec_id, unix_ms now) {
  ++s.running;
  auto& run = s.runs[exec_id];
  run.sent = true;
  if (!s.leave_reason.empty())
    evict(exec_id, run, now);
}

void machine::kill(const std::string& exec_id, const caller& by, unix_ms now) {
  if (std::erase(s.unsent, exec_id) > 0)
    return end_unstarted(exec_id, never_ran(now, canceled_early(by)));
  // A runner that is yet to be found is told when it is.
  auto& run = s.runs.at(exec_id);
  if (!std::exchange(run.canceled, true))
    run.canceler = by;
  if (s.runner == runner_state::up)
    add(effect::kill_exec{exec_id});
}

// It has printed nothing, so there is nothing to wait for.
void machine::end_unstarted(const std::string& exec_id, exec_outcome outcome) {
  s.runs.at(exec_id).ended = true;
  --s.running;
  finish(s.execs.at(exec_id), std::move(outcome));
  start_waiting();
}

void machine::stop_runner() {
  s.runner = runner_state::asked;
  s.stopping = true;
  // Where one ending takes the place of another.
  s.stopped = false;
  std::erase_if(s.deferred, [](const any_event& what) {
    return std::holds_alternative<event::session_quiet>(what);
  });
  add(effect::stop_runner{});
}

// An ending goes on when no exec has anything to say any more, for what is
// published after the end of the session nobody would ever see, and when no
// git writes in the checkout.
void machine::report_quiet(unix_ms now) {
  if (!s.stopped || s.transfers > 0 || !s.runs.empty() || !s.keeping.empty())
    return;
  s.stopped = false;
  s.deferred.push_back(event::session_quiet{now});
}

// It went with the runner that was told of it.
void machine::settle_lost(const std::string& exec_id) {
  auto found = s.runs.find(exec_id);
  if (found != s.runs.end() && !found->second.ended)
    add(effect::settle_exec{exec_id, runner_is_gone});
}

// What the runner was told of and does not work on any more.
void machine::settle(const std::map<std::string, unix_ms>& known,
                     const std::string& reason) {
  for (auto& [exec_id, run] : s.runs)
    if (run.sent && !run.ended && !known.contains(exec_id))
      add(effect::settle_exec{exec_id, reason});
  for (auto& [exec_id, kept] : s.keeping)
    kept.lost = kept.placed && !known.contains(exec_id);
}

// -- events -------------------------------------------------------------------

// It is there, or still there: what it does not know has ended, or never began.
void machine::operator()(const event::runner_found& x) {
  if (s.stopping)
    return; // it is gone in a moment
  s.runner = runner_state::up;
  s.starting = false;
  settle(x.execs, "the session's runner does not know it any more");
  for (auto& [exec_id, since] : x.execs) {
    auto found = s.runs.find(exec_id);
    const auto known = found != s.runs.end() || s.keeping.contains(exec_id);
    // Execs that the session does not know: nothing else would cancel them.
    if (!known || (found != s.runs.end() && found->second.canceled))
      add(effect::kill_exec{exec_id});
    if (known && since != 0)
      (*this)(event::exec_running{exec_id, since});
  }
  launch_unsent();
  for (auto& what : std::exchange(s.held, {}))
    add(std::move(what));
}

void machine::operator()(const event::runner_gone& x) {
  auto reason = x.reason.empty() ? runner_is_gone : x.reason;
  lose_input(reason);
  settle({}, reason);
  auto unsent = std::exchange(s.unsent, {});
  auto failed = std::exchange(s.starting, false);
  s.runner = runner_state::absent;
  if (std::exchange(s.stopping, false)) {
    s.stopped = true;
    for (auto& exec_id : unsent)
      end_unstarted(exec_id,
                    never_ran(x.now, without_why + ": " + reason_of_ending()));
    return report_quiet(x.now);
  }
  for (auto& exec_id : unsent)
    if (failed)
      (*this)(event::start_refused{
        exec_id,
        {errc::unavailable,
         "the session's runner cannot be started: " + x.reason},
        x.now});
    else
      launch(exec_id); // it was only looked whether one is there
}

void machine::operator()(const event::start_refused& x) {
  if (comes_before_kept(x, x.exec_id))
    return;
  auto found = s.runs.find(x.exec_id);
  if (found == s.runs.end())
    return unexpected();
  if (found->second.ended)
    return;
  if (auto waiting = s.waiters.extract(x.exec_id))
    for (auto& w : waiting.mapped())
      refuse(w.who, x.why);
  end_unstarted(x.exec_id, never_ran(x.now, x.why.message));
}

void machine::operator()(const event::exec_running& x) {
  if (comes_before_kept(x, x.exec_id))
    return;
  auto found = s.execs.find(x.exec_id);
  if (found == s.execs.end())
    return unexpected();
  if (found->second.status != exec_status::queued)
    return; // a runner that is found again says so again
  found->second.status = exec_status::running;
  found->second.started_at = x.time;
  add(effect::publish_exec{event_kind::exec_started, x.exec_id});
  pass_early(x.exec_id);
}

void machine::operator()(const event::exec_exited& x) {
  if (comes_before_kept(x, x.exec_id))
    return;
  auto found = s.runs.find(x.exec_id);
  if (found == s.runs.end())
    return unexpected();
  // Two may say so: the runner, and the files of one that was settled.
  if (!std::exchange(found->second.ended, true))
    add(effect::finish_output{x.exec_id, x.records, x.outcome});
}

void machine::operator()(const event::exec_done& x) {
  auto found = s.execs.find(x.exec_id);
  if (found == s.execs.end() || is_over(found->second.status))
    return unexpected();
  --s.running;
  auto outcome = x.outcome;
  auto run = s.runs.find(x.exec_id);
  // One that has come to its own end meanwhile has that.
  if (run != s.runs.end() && run->second.evicted
      && outcome.status != exec_status::exited) {
    outcome.status = exec_status::lost;
    outcome.reason = s.leave_reason;
  }
  if (outcome.reason == without_why && s.why != ending::none)
    outcome.reason += ": " + reason_of_ending();
  if (run != s.runs.end()
      && (outcome.reason.empty() || outcome.reason == canceled_by_somebody
          || outcome.reason == signaled_by_somebody))
    outcome.reason = by_whom(run->second, outcome);
  finish(found->second, std::move(outcome));
  start_waiting();
}

} // namespace greenroom::session
