// The machine's transitions, one function an event; for the files of this
// folder only.
//
//   machine.cpp  the session's life, and `apply`
//   endings.cpp  how it ends
//   execs.cpp    the commands in it: which are admitted, and when they start
//   runner.cpp   the runner, and the execs that it runs
//   input.cpp    what they are fed
//   waiters.cpp  who waits for them
//   leaving.cpp  how it goes to another node
//   restoring.cpp  how it gets its checkout again on the next one
//   git.cpp      tokens, pushes, questions, and where the branch stands
#pragma once

#include "actors/session/machine/machine.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace greenroom::session {

/// Puts into an event by whom and by which request it came about.
inline void add_caller(event_fields& fields, const caller& by) {
  if (!by.key_id.empty()) {
    fields["by"] = by.key_id;
    fields["by_name"] = by.key_name;
  }
  if (!by.request_id.empty())
    fields["request_id"] = by.request_id;
}

/// Bytes of its command, arguments and environment.
std::uint64_t text_of(const exec_spec& spec);

/// Why an exec never ran that `by` has canceled.
std::string canceled_early(const caller& by);

inline const refusal on_its_way{
  errc::unavailable,
  "the session is being moved to another node, try again in a moment"};

inline const refusal terminated_early{
  errc::conflict, "the session was terminated before it was ready"};

struct machine {
  state& s;
  effects result;

  // -- the session's life
  void operator()(const event::begin&);
  void operator()(const event::start_asked& x);
  void operator()(const event::checkout_made&);
  void operator()(const event::checkout_failed& x);
  void operator()(const event::checkout_installed&);
  void operator()(const event::checkout_install_failed& x);
  void operator()(const event::extend_asked& x);
  void operator()(const event::tick& x);
  void operator()(const event::stored& x);
  void operator()(const event::store_refused&);

  // -- how it ends
  void operator()(const event::checkin_asked& x);
  void operator()(const event::checkin_saved& x);
  void operator()(const event::checkin_failed& x);
  void operator()(const event::review_queued& x);
  void operator()(const event::review_refused& x);
  void operator()(const event::terminate_asked& x);
  void operator()(const event::give_up& x);
  void operator()(const event::session_quiet& x);
  void operator()(const event::rescue_saved& x);
  void operator()(const event::rescue_failed& x);
  void operator()(const event::rescue_pushed& x);

  // -- the commands in it
  void operator()(const event::exec_asked& x);
  void operator()(const event::exec_kept& x);
  void operator()(const event::exec_unkept& x);
  void operator()(const event::exec_recalled& x);
  void operator()(const event::exec_noted& x);
  void operator()(const event::cancel_asked& x);

  // -- the runner
  void operator()(const event::runner_found& x);
  void operator()(const event::runner_gone& x);
  void operator()(const event::start_refused& x);
  void operator()(const event::exec_running& x);
  void operator()(const event::exec_exited& x);
  void operator()(const event::exec_done& x);

  // -- what execs are fed
  void operator()(const event::signal_asked& x);
  void operator()(const event::input_asked& x);
  void operator()(const event::resize_asked& x);
  void operator()(const event::input_taken& x);

  // -- who waits for them
  void operator()(const event::exec_announced& x);
  void operator()(const event::wait_ended& x);

  // -- how it goes to another node
  void operator()(const event::leave_asked& x);
  void operator()(const event::stay_asked&);

  // -- how it gets its checkout again
  void operator()(const event::turn_came&);
  void operator()(const event::restore_failed& x);
  void operator()(const event::pause_over&);
  void operator()(const event::checkout_wait_over& x);

  // -- git in it
  void operator()(const event::rotate_asked& x);
  void operator()(const event::transfer_asked& x);
  void operator()(const event::transfer_over& x);
  void operator()(const event::question_asked& x);
  void operator()(const event::question_answered&);
  void operator()(const event::pushed& x);
  void operator()(const event::look&);
  void operator()(const event::branch_polled& x);

  // -- what they share
  bool accepts_work() const noexcept {
    return s.record.status == session_status::active && s.why == ending::none
           && !s.leaving;
  }
  // What nothing has led to: a mistake of whoever feeds the machine.
  void unexpected() noexcept {
    ++s.unexpected;
  }
  void add(any_effect what) {
    result.push_back(std::move(what));
  }
  void refuse(ticket who, refusal why) {
    add(effect::answer_refused{who, std::move(why)});
  }
  void refuse_all(std::vector<ticket>& list, const refusal& why) {
    for (auto who : std::exchange(list, {}))
      refuse(who, why);
  }
  refusal why_inactive() const {
    if (s.leaving && is_live(s.record.status))
      return on_its_way;
    return {errc::bad_request, "session is not active"};
  }
  void refuse_inactive(ticket who) {
    refuse(who, why_inactive());
  }
  // One that goes away takes no turn, but for its end.
  bool may_restore() const noexcept {
    return !s.leaving || s.why != ending::none;
  }
  void persist(session_record next, std::vector<effect::life_event> events,
               ticket who, effects then);

  refusal failure() const;
  void answer_starter(ticket who);
  void answer_askers();
  void end_unmade();
  void start_ending(ending why);
  void return_to_active(const refusal& why);
  void finish_ending(unix_ms now, std::string reason, bool work_is_safe);
  std::vector<effect::life_event> review_events() const;
  std::optional<effect::life_event>
  end_of_checkin(const std::string& reason) const;
  event_fields cause_of_end() const;
  void fail_checkin(const refusal& why);
  std::string reason_of_ending() const;
  std::string what_is_left() const;
  bool stop_waiting_for_end(ticket who, unix_ms now);
  bool stop_waiting_for_checkin(ticket who);
  bool is_same_checkin(const event::checkin_asked& x) const;
  void note_wanted_end(unix_ms now);

  void finish(exec_record& exec, exec_outcome outcome);
  void drop_waiting(exec_status status, unix_ms now, const std::string& reason);
  std::uint32_t places() const;
  void start_waiting();
  std::uint64_t text_in_line() const;
  void refuse_exec(ticket who, const exec_spec& spec, const refusal& why);
  void forget_surplus();
  void evict(const std::string& exec_id, run& what, unix_ms now);
  void evict_waiting(unix_ms now);
  exec_record* unfinished(ticket who, const std::string& exec_id);
  bool held_back(const any_event& what, ticket who, const std::string& exec_id);
  bool comes_before_kept(const any_event& what, const std::string& exec_id);
  template <class Event>
  bool held_back(const Event& x) {
    return held_back(x, x.who, x.exec_id);
  }

  refusal not_restored() const;
  void begin_install();
  void line_up();
  void hurry();
  bool comes_early(const event::exec_asked& x);
  bool comes_early(const event::checkin_asked& x);
  void wait_for_checkout(ticket who);
  bool take_early(ticket who);
  void refuse_early(const refusal& why);
  void take_up_early();
  void end_restoring();
  void end_without_checkout(unix_ms now);
  bool needs_checkout() const noexcept;
  void restore_for_ending(unix_ms now);

  void spawn(const std::string& exec_id);
  void launch(const std::string& exec_id);
  void launch_unsent();
  void note_sent(const std::string& exec_id, unix_ms now);
  void kill(const std::string& exec_id, const caller& by, unix_ms now);
  void end_unstarted(const std::string& exec_id, exec_outcome outcome);
  void settle(const std::map<std::string, unix_ms>& known,
              const std::string& reason);
  void settle_lost(const std::string& exec_id);
  void stop_runner();
  void report_quiet(unix_ms now);

  void pass(any_effect what);
  void pass_input(const std::string& exec_id, const sent_input& sent);
  void pass_early(const std::string& exec_id);
  void lose_input(const std::string& problem);

  bool in_line(const std::string& exec_id) const;
  void answer(const waiter& w, const std::string& exec_id);
  void wait_for(const waiter& w, const std::string& exec_id);
  void wake(const std::string& exec_id, bool exited);
  bool waits_to_be_kept(const event::wait_ended& x);
  void wake_early();
};

} // namespace greenroom::session
