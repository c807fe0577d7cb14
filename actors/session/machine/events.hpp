// What happens to a session: requests, and what came of the machine's effects.
//
// A request has a ticket, `who`, by which the actor knows it. Each is answered
// by exactly one effect, or is handed on with one (`pass_input`, say) and then
// answered by whoever performs that.
#pragma once

#include "messages/errors.hpp"
#include "messages/records.hpp"
#include "messages/time.hpp"

#include <cstdint>
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
};
struct extend_asked {
  ticket who = 0;
  millis expires_in = 0;
  unix_ms now = 0;
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
};
struct give_up { // the actor crashes again and again
  std::string reason;
};
struct runner_stopped { // nothing of the session runs any more
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
};
struct exec_unkept { // an exec that was just admitted cannot be written down
  ticket who = 0;
  std::string exec_id;
  refusal why;
};
struct exec_running {
  std::string exec_id;
  unix_ms time = 0;
};
struct exec_done {
  std::string exec_id;
  exec_outcome outcome;
};
struct exec_finalized { // the timeline has all of it
  std::string exec_id;
};
struct exec_recalled { // from the timeline: one that is over
  exec_record exec;
};
struct cancel_asked {
  ticket who = 0;
  std::string exec_id;
  unix_ms now = 0;
};
struct signal_asked {
  ticket who = 0;
  std::string exec_id;
  std::int32_t signal = 0;
};
struct input_asked {
  ticket who = 0;
  std::string exec_id;
  std::uint64_t size = 0;
  bool eof = false;
};
struct input_done { // written, or given up
  std::string exec_id;
  std::uint64_t size = 0;
};
struct resize_asked {
  ticket who = 0;
  std::string exec_id;
  std::uint16_t rows = 0;
  std::uint16_t cols = 0;
};

struct rotate_asked {
  ticket who = 0;
  std::string token_hash; // of the new one
};
struct transfer_asked {
  ticket who = 0;
  std::string token_hash;
};
struct pushed {
  std::string old_commit; // empty: the branch had none
  std::string new_commit;
  bool applied = true;
};
struct look {}; // somebody may have committed
struct branch_polled {
  std::string commit; // empty: unknown, or there is none
};

} // namespace event

using any_event = std::variant<
  event::begin, event::start_asked, event::checkout_made,
  event::checkout_failed, event::checkout_installed,
  event::checkout_install_failed, event::extend_asked, event::checkin_asked,
  event::checkin_saved, event::checkin_failed, event::review_queued,
  event::review_refused, event::terminate_asked, event::give_up,
  event::runner_stopped, event::rescue_saved, event::rescue_failed, event::tick,
  event::stored, event::store_refused, event::exec_asked, event::exec_unkept,
  event::exec_running, event::exec_done, event::exec_finalized,
  event::exec_recalled, event::cancel_asked, event::signal_asked,
  event::input_asked, event::input_done, event::resize_asked,
  event::rotate_asked, event::transfer_asked, event::pushed, event::look,
  event::branch_polled>;

/// The name of its type, for the log.
std::string_view name_of(const any_event& what) noexcept;

} // namespace greenroom::session
