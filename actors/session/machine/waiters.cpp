// Who waits for an exec to start or to end.
#include "actors/session/machine/transitions.hpp"

#include <algorithm>

namespace greenroom::session {

bool machine::in_line(const std::string& exec_id) const {
  return std::ranges::find(s.waiting, exec_id) != s.waiting.end();
}

void machine::answer(const waiter& w, const std::string& exec_id) {
  add(effect::answer_exec{w.who, exec_id, w.with_output});
}

// One that waits in line has an answer, but not before the checkout is there:
// until then nothing starts, and that is soon.
void machine::wait_for(const waiter& w, const std::string& exec_id) {
  if (w.who == 0)
    return; // nobody has asked
  auto status = s.execs.at(exec_id).status;
  auto known =
    status == exec_status::running || (!s.installing && in_line(exec_id));
  if (is_over(status) || (known && !w.until_end))
    answer(w, exec_id);
  else
    s.waiters[exec_id].push_back(w);
}

void machine::wake(const std::string& exec_id, bool exited) {
  auto found = s.waiters.find(exec_id);
  if (found == s.waiters.end())
    return;
  std::vector<waiter> staying;
  for (auto& w : found->second)
    if (exited || !w.until_end)
      answer(w, exec_id);
    else
      staying.push_back(w);
  if (staying.empty())
    s.waiters.erase(found);
  else
    found->second = std::move(staying);
}

// The checkout is there, or never will be.
void machine::wake_early() {
  for (auto who : std::exchange(s.early_questions, {}))
    add(effect::answer_question{who});
  for (auto& exec_id : s.waiting)
    wake(exec_id, false);
}

// Of an exec that is being written down there is nothing to say yet: whoever
// has waited long enough for it hears so once there is.
bool machine::waits_to_be_kept(const event::wait_ended& x) {
  auto asked_by = [&](const any_event& what) {
    return std::visit(
      [&](const auto& e) {
        if constexpr (requires { e.who; })
          return e.who == x.who;
        else
          return false;
      },
      what);
  };
  for (auto& [exec_id, kept] : s.keeping)
    if (kept.asker.who == x.who || std::ranges::any_of(kept.later, asked_by)) {
      kept.later.push_back(x);
      return true;
    }
  return false;
}

// -- events -------------------------------------------------------------------

// Who waits hears of it once it is written down.
void machine::operator()(const event::exec_announced& x) {
  auto found = s.execs.find(x.exec_id);
  if (found == s.execs.end() || found->second.status == exec_status::queued)
    return unexpected();
  if (std::ranges::find(s.finalized, x.exec_id) != s.finalized.end())
    return unexpected();
  wake(x.exec_id, x.exited);
  if (!x.exited)
    return;
  s.runs.erase(x.exec_id);
  s.finalized.push_back(x.exec_id);
  forget_surplus();
  report_quiet(x.now);
}

void machine::operator()(const event::wait_ended& x) {
  if (stop_waiting_for_end(x.who, x.now) || stop_waiting_for_checkin(x.who)
      || waits_to_be_kept(x))
    return;
  // Of one that has not even been admitted there is nothing to say yet.
  if (auto early =
        std::ranges::find(s.early_execs, x.who, &event::exec_asked::who);
      early != s.early_execs.end()) {
    early->until_end = false;
    return;
  }
  for (auto& [exec_id, list] : s.waiters) {
    auto found = std::ranges::find(list, x.who, &waiter::who);
    if (found == list.end())
      continue;
    // Not started yet, and the answer says that it was: wait for that.
    if (found->with_output && s.execs.at(exec_id).status == exec_status::queued
        && !in_line(exec_id)) {
      found->until_end = false;
      return;
    }
    // Of one that goes on, what it has printed is not said.
    add(effect::answer_exec{x.who, exec_id, false});
    list.erase(found);
    if (list.empty())
      s.waiters.erase(exec_id);
    return;
  }
}

} // namespace greenroom::session
