// What is to be done: what the machine decides and the session's actor
// performs, in this order.
//
// No effect has the name of a message: an effect says what begins, and the
// actor sends the message for it.
#pragma once

#include "actors/session/machine/events.hpp"
#include "messages/errors.hpp"
#include "messages/events.hpp"
#include "messages/records.hpp"
#include "messages/shared_text.hpp"
#include "messages/time.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace greenroom::session {

/// What an event says beside what all of its kind say.
using field =
  std::variant<std::string, bool, std::int64_t, std::vector<std::string>>;
using event_fields = std::map<std::string, field>;

namespace effect {

struct begin_checkout {};
struct finish_checkout {};
/// Line up to have the checkout restored, and feed `turn_came`; where it waits
/// in line already and it is `urgent` now, others let it pass.
struct await_turn {
  bool urgent = false;
};
/// The turn is over, or is not wanted any more.
struct end_turn {};
/// Feed `pause_over` after that time.
struct pause_restore {
  millis pause = 0;
};
/// Feed `checkout_wait_over` where `who` has no answer after as long as clients
/// wait for what they asked.
struct limit_wait {
  ticket who = 0;
};
struct start_runner {};
struct find_runner {}; // one may have survived
struct stop_runner {};
struct begin_checkin {};
struct begin_rescue {};
struct request_review {};
struct end_transfers {};    // by git over HTTP: the token is not good any more
struct discard_checkout {}; // the work is safe elsewhere
struct over {};             // branch and slot are free, no deadline is left

/// Ask for a `tick` at this time.
struct arm {
  unix_ms at = 0;
};

/// An event of the session's life, to be published once stored.
struct life_event {
  event_kind kind = event_kind::session_created;
  event_fields fields; // beside Session's own
};

/// Store `next` with its events, which may be none, and feed `stored`. If that
/// fails: where it is `refusable`, feed `store_refused`; else try again.
struct persist {
  session_record next;
  std::vector<life_event> events;
  bool refusable = false;
};

/// Publish the events of the change that is now stored.
struct publish_stored {};

/// Publish an event that no change of the stored record goes with.
struct publish {
  event_kind kind = event_kind::git_pushed;
  event_fields fields;
};

/// Publish an event of an exec, with its record as it is now.
struct publish_exec {
  event_kind kind = event_kind::exec_queued;
  std::string exec_id;
};
/// Start one that nobody asked for: the project's setup.
struct run_setup {
  exec_spec spec;
  bool later = false; // it could not be begun: try in a moment
};
/// Write the request down and publish exec.queued, so that a revived session
/// knows the exec; then feed `exec_kept` or `exec_unkept`.
struct keep_exec {
  exec_record exec;
  shared_text input;              // what it is fed at first
  std::size_t queue_position = 0; // 0: it can start at once
  // And tell the runner that is there now as soon as it is written, without
  // asking again; `exec_kept` says whether that was done.
  bool spawn = false;
};
/// Tell the runner, which is there. If that fails feed `start_refused`.
struct spawn_exec {
  std::string exec_id;
};
struct kill_exec {
  std::string exec_id;
};
/// The runner is not working on it: feed `exec_exited` with what its files say,
/// or with `lost` for this reason where they say nothing.
struct settle_exec {
  std::string exec_id;
  std::string reason;
};
/// Announce what it has printed, then feed `exec_done`.
struct finish_output {
  std::string exec_id;
  std::uint64_t records = 0;
  exec_outcome outcome;
};
struct pass_signal {
  std::string exec_id;
  std::int32_t signal = 0;
};
/// Give the runner what `who` has sent; `input_taken` says when it has it.
struct pass_input {
  ticket who = 0;
  std::string exec_id;
  bool eof = false;
};
struct pass_resize { // likewise
  ticket who = 0;
  std::string exec_id;
  std::uint16_t rows = 0;
  std::uint16_t cols = 0;
};
struct archive_exec { // it is not at hand any more
  std::string exec_id;
};

struct read_branch {};

struct answer_refused {
  ticket who = 0;
  refusal why;
};
struct answer_session { // with the record
  ticket who = 0;
};
struct answer_exec { // with the record as it is
  ticket who = 0;
  std::string exec_id;
  bool with_output = false; // if it is over
};
struct answer_input {
  ticket who = 0;
};
/// Ask git, answer, and feed `question_answered`.
struct answer_question {
  ticket who = 0;
};
struct answer_checkin {
  ticket who = 0;
};
struct answer_token { // with the secret that they were made
  ticket who = 0;
};
struct answer_transfer { // and feed `transfer_over` once it is that
  ticket who = 0;
};
struct answer_terminated {
  ticket who = 0;
};
struct answer_noted {
  ticket who = 0;
};

} // namespace effect

using any_effect = std::variant<
  effect::begin_checkout, effect::finish_checkout, effect::await_turn,
  effect::end_turn, effect::pause_restore, effect::limit_wait,
  effect::start_runner, effect::find_runner, effect::stop_runner,
  effect::begin_checkin, effect::begin_rescue, effect::request_review,
  effect::end_transfers, effect::discard_checkout, effect::over, effect::arm,
  effect::persist, effect::publish_stored, effect::publish,
  effect::publish_exec, effect::run_setup, effect::keep_exec,
  effect::spawn_exec, effect::kill_exec, effect::settle_exec,
  effect::finish_output, effect::pass_signal, effect::pass_input,
  effect::pass_resize, effect::archive_exec, effect::read_branch,
  effect::answer_refused, effect::answer_session, effect::answer_exec,
  effect::answer_input, effect::answer_question, effect::answer_checkin,
  effect::answer_token, effect::answer_transfer, effect::answer_terminated,
  effect::answer_noted>;

using effects = std::vector<any_effect>;

/// The exec that a project's setup runs as, and the field of session.created
/// that says so.
inline constexpr const char* setup_exec = "setup";
inline constexpr const char* setup_field = "setup_exec_id";

} // namespace greenroom::session
