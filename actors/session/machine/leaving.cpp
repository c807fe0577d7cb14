// How a session goes to another node: it comes to rest, and stays so until it
// is gone or is told that it stays.
#include "actors/session/machine/transitions.hpp"

namespace greenroom::session {

namespace {

std::string counted(std::size_t count, const char* one, const char* many) {
  return count == 1 ? one : std::to_string(count) + many;
}

} // namespace

std::string what_goes_on(const state& s) {
  auto status = s.record.status;
  if (!is_live(status))
    return {};
  if (status == session_status::creating)
    return "it is being made";
  if (s.why != ending::none || status == session_status::checking_in)
    return "it is being ended";
  if (s.restore == restoring::making || is_needed(s))
    return "its checkout is being restored";
  if (s.installing && s.restore == restoring::no)
    return "its checkout is being put on disk";
  if (auto execs = s.runs.size() + s.waiting.size() + s.keeping.size();
      execs > 0)
    return counted(execs, "a command runs", " commands run");
  if (s.transfers > 0)
    return counted(s.transfers, "a clone or push goes on",
                   " clones or pushes go on");
  if (busy(s) || !s.deferred.empty())
    return "a change of it is being stored";
  return {};
}

// What has not begun never will: the next node does not know it.
void machine::evict(const std::string& exec_id, run& what, unix_ms now) {
  if (std::erase(s.unsent, exec_id) > 0) {
    exec_outcome outcome;
    outcome.status = exec_status::canceled;
    outcome.ended_at = now;
    outcome.reason = s.leave_reason;
    return end_unstarted(exec_id, std::move(outcome));
  }
  what.evicted = true;
  what.canceled = true; // one that is yet to be found is told when it is
  if (s.runner == runner_state::up)
    add(effect::kill_exec{exec_id});
}

void machine::evict_waiting(unix_ms now) {
  if (!s.leave_reason.empty())
    drop_waiting(exec_status::canceled, now, s.leave_reason);
}

// -- events -------------------------------------------------------------------

void machine::operator()(const event::leave_asked& x) {
  s.leaving = true;
  // The next node has the checkpoint as well.
  if (s.why == ending::none && s.restore != restoring::no
      && s.restore != restoring::making) {
    s.restore = restoring::waiting;
    add(effect::end_turn{});
    refuse_early(on_its_way);
  }
  if (x.reason.empty() || s.why != ending::none)
    return;
  s.leave_reason = x.reason;
  add(effect::end_transfers{});
  evict_waiting(x.now);
  for (auto& [exec_id, what] : s.runs)
    if (!what.ended)
      evict(exec_id, what, x.now);
}

void machine::operator()(const event::stay_asked&) {
  if (!std::exchange(s.leaving, false))
    return;
  s.leave_reason.clear();
  if (s.restore == restoring::waiting)
    line_up();
  launch_unsent();
  start_waiting();
  add(effect::arm{next_deadline(s.record)});
}

} // namespace greenroom::session
