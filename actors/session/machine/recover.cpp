#include "actors/session/machine/recover.hpp"

#include <utility>

namespace greenroom::session {

namespace {

// The session is over, so nothing runs; but how it ended was not announced.
void close(exec_record& exec, const past& what) {
  auto found = what.outcomes.find(exec.spec.exec_id);
  if (found != what.outcomes.end())
    exec.outcome = found->second;
  else
    exec.outcome.reason = "the session ended";
  exec.status = exec.outcome.status;
}

// One that the runner was told of may have run, even if that died before it
// could answer. The others wait in line again. Servers in the background live
// on, though their execs have ended.
effects take_up_execs(state& s, const past& what) {
  auto live = is_live(s.record.status);
  for (auto& id : s.order) {
    auto& exec = s.execs.at(id);
    if (is_over(exec.status))
      continue;
    if (!live) {
      close(exec, what);
    } else if (what.sent.contains(id)) {
      ++s.running;
      s.runs[id].sent = true;
    } else {
      s.waiting.push_back(id);
    }
  }
  if (s.runs.empty() && !(live && (what.listens || what.removed)))
    return {};
  s.runner = runner_state::asked;
  return {effect::find_runner{}};
}

void take_up_change(state& s, past& what) {
  auto setup = std::exchange(s.setup, {});
  auto& last = what.last;
  switch (s.record.status) {
    case session_status::creating:
      s.setup = std::move(setup);
      return;
    case session_status::active:
      // Cut off between the two: it has never been started.
      if (last.announces_setup && !what.setup_known)
        s.setup = std::move(setup);
      return;
    case session_status::checking_in:
      s.author = std::move(last.author);
      s.message = std::move(last.message);
      s.skip_review = last.skip_review;
      s.auto_merge = last.auto_merge;
      return;
    default:
      return;
  }
}

} // namespace

state first_state(session_record record, limits bounds, std::string setup) {
  state s;
  s.record = std::move(record);
  s.bounds = bounds;
  s.setup = std::move(setup);
  s.tip = s.record.base_commit;
  return s;
}

effects recover(state& s, past what) {
  if (!what.tip.empty())
    s.tip = what.tip;
  s.execs = std::move(what.execs);
  s.order = std::move(what.order);
  s.finalized = std::move(what.finalized);
  auto todo = take_up_execs(s, what);
  take_up_change(s, what);
  // Until the checkout is in its place, on disk, nobody has used it; so it can
  // be made again.
  auto status = s.record.status;
  s.installing =
    (status == session_status::active || status == session_status::checking_in)
    && !what.removed
    && (what.elsewhere || (!what.used && what.sent.empty() && !what.checkout));
  if (s.installing && (s.roams || what.came))
    s.restore = restoring::waiting;
  return todo;
}

} // namespace greenroom::session
