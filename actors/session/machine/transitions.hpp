// The machine's transitions, one function an input; for
// actors/session_machine*.cpp only.
//
//   session_machine.cpp          the session's life
//   session_machine_endings.cpp  how it ends
//   session_machine_execs.cpp    the commands in it, and what they are fed
//   session_machine_git.cpp      tokens, pushes, and where the branch stands
#pragma once

#include "actors/session/machine/machine.hpp"

#include <utility>

namespace greenroom::session {

inline const refusal terminated_early{
  errc::conflict, "the session was terminated before it was ready"};

struct machine {
  state& s;
  effects result;

  // -- the session's life
  void operator()(const in::begin&);
  void operator()(const in::start_asked& x);
  void operator()(const in::checkout_made&);
  void operator()(const in::checkout_failed& x);
  void operator()(const in::checkout_installed&);
  void operator()(const in::checkout_install_failed& x);
  void operator()(const in::extend_asked& x);
  void operator()(const in::tick& x);
  void operator()(const in::stored& x);
  void operator()(const in::store_refused&);

  // -- how it ends
  void operator()(const in::checkin_asked& x);
  void operator()(const in::checkin_saved& x);
  void operator()(const in::checkin_failed& x);
  void operator()(const in::review_queued& x);
  void operator()(const in::review_refused& x);
  void operator()(const in::terminate_asked& x);
  void operator()(const in::give_up& x);
  void operator()(const in::runner_stopped& x);
  void operator()(const in::rescue_saved& x);
  void operator()(const in::rescue_failed& x);

  // -- the commands in it
  void operator()(const in::exec_asked& x);
  void operator()(const in::exec_unkept& x);
  void operator()(const in::exec_started& x);
  void operator()(const in::exec_ended& x);
  void operator()(const in::exec_finalized& x);
  void operator()(const in::exec_recalled& x);
  void operator()(const in::cancel_asked& x);
  void operator()(const in::signal_asked& x);
  void operator()(const in::input_asked& x);
  void operator()(const in::input_done& x);
  void operator()(const in::resize_asked& x);

  // -- git in it
  void operator()(const in::rotate_asked& x);
  void operator()(const in::transfer_asked& x);
  void operator()(const in::pushed& x);
  void operator()(const in::look&);
  void operator()(const in::branch_polled& x);

  // -- what they share
  bool accepts_work() const noexcept {
    return s.record.status == session_status::active && s.why == ending::none;
  }
  void add(effect what) {
    result.push_back(std::move(what));
  }
  void refuse(ticket who, refusal why) {
    add(out::answer_refused{who, std::move(why)});
  }
  void refuse_all(std::vector<ticket>& list, const refusal& why) {
    for (auto who : std::exchange(list, {}))
      refuse(who, why);
  }
  void refuse_inactive(ticket who) {
    refuse(who, {errc::bad_request, "session is not active"});
  }
  void persist(session_record next, std::vector<out::life_event> events,
               ticket who, effects then);

  refusal failure() const;
  void answer_starter(ticket who);
  void answer_askers();
  void end_unmade();
  void start_ending(ending why);
  void return_to_active(const refusal& why);
  void finish_ending(unix_ms now, std::string reason, bool work_is_safe);
  void fail_checkin(const refusal& why);
  std::string reason_of_ending() const;

  void finish(exec_record& exec, exec_outcome outcome);
  void drop_waiting(exec_status status, unix_ms now, const std::string& reason);
  void start_waiting();
  void forget_surplus();
  exec_record* unfinished(ticket who, const std::string& exec_id);
};

} // namespace greenroom::session
