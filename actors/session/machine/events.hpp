// What happens to a session: requests, and what came of the machine's effects.
//
// A request has a ticket, `who`, by which the actor knows it. Each is answered
// by exactly one effect, or is handed on with one (`pass_input`, say) and then
// answered by whoever performs that.
#pragma once

#include "messages/errors.hpp"
#include "messages/records.hpp"
#include "messages/shared_text.hpp"
#include "messages/time.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace greenroom::session {

/// Names the client's request that an effect answers; 0: nobody asked.
using ticket = std::uint64_t;

namespace event {

struct begin {}; // first start, and again after a revival
struct start_asked {
  ticket who = 0;
};
struct checkout_made {};
struct checkout_failed {
  refusal why;
  unix_ms now = 0;
};
struct checkout_installed { // it is on disk
  unix_ms now = 0;
};
struct checkout_install_failed { // it cannot be put there
  refusal why;
  unix_ms now = 0;
};
struct turn_came {};    // the checkout may be restored now
struct restore_failed { // for now: it is tried again
  refusal why;
  unix_ms now = 0;
};
struct pause_over {};       // since that failed
struct checkout_wait_over { // who waits for the checkout waits no longer
  ticket who = 0;
};
struct extend_asked {
  ticket who = 0;
  millis expires_in = 0;
  unix_ms now = 0;
  caller by = {};
};
struct checkin_asked {
  ticket who = 0;
  caller by;
  std::string message;
  bool skip_review = false;
  bool auto_merge = false;
  bool repeat = false; // it may have been done already
};
struct checkin_saved { // all of the session's work, the branch and the rest
  std::string commit;
  unix_ms now = 0;
  std::vector<rescue_ref> rescued; // what the branch has not
  std::string note;
};
struct checkin_failed {
  refusal why;
};
struct review_queued {
  review_record review;
  unix_ms now = 0;
};
struct review_refused {
  refusal why;
  unix_ms now = 0;
};
struct terminate_asked {
  ticket who = 0;
  bool repeat = false;
  caller by;
  unix_ms now = 0;
};
struct give_up { // the actor crashes again and again
  std::string reason;
};
struct session_quiet { // nothing of it runs any more, and all is announced
  unix_ms now = 0;
};
struct rescue_saved {
  std::vector<rescue_ref> refs;
  unix_ms now = 0;
  std::string note;
};
struct rescue_failed {
  std::string reason; // says where the work is
  unix_ms now = 0;
};
struct rescue_pushed { // the upstream has what is under rescue refs
  ticket who = 0;
  std::string note; // what is left to say of them
};
struct tick {
  unix_ms now = 0;
};
struct stored {};      // the change that was under way is on disk
struct store_refused { // it did not happen
  refusal why;
};

struct exec_asked {
  ticket who = 0;
  exec_spec spec; // with its exec_id
  unix_ms now = 0;
  bool until_end = false; // the answer is to wait for its end
  caller by = {};
  shared_text input = {}; // the one that spec.first_input names
};
struct exec_kept { // what was admitted is written down, and announced
  std::string exec_id;
  unix_ms now = 0;
  bool sent = false; // and its runner was told
};
struct exec_unkept { // it cannot be
  std::string exec_id;
  refusal why;
  unix_ms now = 0;
};
struct exec_running {
  std::string exec_id;
  unix_ms time = 0;
};
struct start_refused { // it cannot be started
  std::string exec_id;
  refusal why;
  unix_ms now = 0;
};
struct exec_exited { // nothing of it runs any more
  std::string exec_id;
  std::uint64_t records = 0; // of output that it has left
  exec_outcome outcome;
};
struct exec_done { // and all that it has printed is announced
  std::string exec_id;
  exec_outcome outcome;
};
struct exec_announced { // the timeline has its exec.started or exec.exited
  std::string exec_id;
  bool exited = false;
  unix_ms now = 0;
};
struct exec_recalled { // from the timeline: one that is over
  exec_record exec;
};
struct exec_noted { // one that is over, which another node has had
  exec_record exec;
  bool announce = false; // nobody has heard of its end
};
struct cancel_asked {
  ticket who = 0;
  std::string exec_id;
  unix_ms now = 0;
  caller by = {};
};
struct signal_asked {
  ticket who = 0;
  std::string exec_id;
  std::int32_t signal = 0;
  caller by = {};
};
struct wait_ended { // who waits for an exec, or for the session's end, is to
                    // hear how it stands
  ticket who = 0;
  unix_ms now = 0;
};
struct input_asked {
  ticket who = 0;
  std::string exec_id;
  std::uint64_t size = 0;
  bool eof = false;
};
struct resize_asked {
  ticket who = 0;
  std::string exec_id;
  std::uint16_t rows = 0;
  std::uint16_t cols = 0;
};
struct input_taken { // what `who` has sent, or its terminal's size is set
  ticket who = 0;
  std::string problem; // empty: it went through
};
struct runner_found {
  // What runs in it, and since when; 0: it is just being started.
  std::map<std::string, unix_ms> execs;
};
struct runner_gone { // or there is none
  std::string reason;
  unix_ms now = 0;
};

struct rotate_asked {
  ticket who = 0;
  std::string token_hash; // of the new one
};
struct transfer_asked {
  ticket who = 0;
  std::string token_hash;
};
struct transfer_over { // of one that was let in
  unix_ms now = 0;
};
struct question_asked { // of git, about the checkout
  ticket who = 0;
};
struct question_answered {};
struct pushed {
  std::string old_commit; // empty: the branch had none
  std::string new_commit;
  bool applied = true;
  caller by = {};
};
struct look {}; // somebody may have committed
struct branch_polled {
  std::string commit; // empty: unknown, or there is none
};

struct leave_asked {  // it is to go to another node, and takes no more work
  std::string reason; // not empty: what runs is ended, for this reason
  unix_ms now = 0;
};
struct stay_asked {}; // it does not go

} // namespace event

using any_event = std::variant<
  event::begin, event::start_asked, event::checkout_made,
  event::checkout_failed, event::checkout_installed,
  event::checkout_install_failed, event::turn_came, event::restore_failed,
  event::pause_over, event::checkout_wait_over, event::extend_asked,
  event::checkin_asked, event::checkin_saved, event::checkin_failed,
  event::review_queued, event::review_refused, event::terminate_asked,
  event::give_up, event::session_quiet, event::rescue_saved,
  event::rescue_failed, event::rescue_pushed, event::tick, event::stored,
  event::store_refused, event::exec_asked, event::exec_kept, event::exec_unkept,
  event::exec_running, event::start_refused, event::exec_exited,
  event::exec_done, event::exec_announced, event::exec_recalled,
  event::exec_noted, event::cancel_asked, event::signal_asked,
  event::wait_ended, event::input_asked, event::resize_asked,
  event::input_taken, event::runner_found, event::runner_gone,
  event::rotate_asked, event::transfer_asked, event::transfer_over,
  event::question_asked, event::question_answered, event::pushed, event::look,
  event::branch_polled, event::leave_asked, event::stay_asked>;

/// The name of its type, for the log.
std::string_view name_of(const any_event& what) noexcept;

} // namespace greenroom::session
