// The decisions of a session, without an actor, a process or a clock.
//
//   creating → active ⇄ checking_in → ended
//                ├────→ expired
//   creating ────┼────→ terminated
//   creating ────┴────→ failed
//
// `apply` takes what happened and returns what is to be done. It is a pure
// function of the state and the input: the same history gives the same
// effects, so every state and every message can be tested by itself. The
// session actor (actors/session/session.hpp) performs the effects and feeds
// back what came of them.
//
// Changes of the session's own life are stored before they count: `apply`
// returns a `persist` with the record as it will be, and the actor feeds
// `stored` once it is on disk. Until then the machine is `busy()` and holds
// back what may change the record once more; execs go on meanwhile.
//
// A request has a ticket, `who`, that the actor gave it. Each is answered by
// exactly one effect, or is handed on with one (`write_input`, say) and then
// answered by whoever performs that.
//
// A session is active once its checkout is made. Until that is also on disk it
// admits work and begins to end, but nothing is done in the checkout: so it can
// be made anew where a crash or a power cut comes first.
//
// Execs that are over stay in memory until enough younger ones are; the others
// are in the timeline only, and the actor recalls one that is asked for.
#pragma once

#include "messages/errors.hpp"
#include "messages/events.hpp"
#include "messages/records.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace greenroom::session {

/// Names the client's request that an effect answers; 0: nobody asked.
using ticket = std::uint64_t;

struct limits {
  std::uint32_t max_concurrent = 8; // execs running at once
  std::uint32_t max_queued = 64;    // execs waiting; beyond that: refused
  millis max_lifetime = 30LL * 24 * 3600 * 1000; // from creation
  std::uint32_t max_finished = 256; // execs in memory that are over
};

/// Bytes for an exec's standard input that wait for it to read.
inline constexpr std::uint64_t max_waiting_input = 4 * 1024 * 1024;

/// Why a session is on its way out.
enum class ending : std::uint8_t { none, checkin, expire, terminate, fail };

/// Where an ending has got to. The steps are taken in this order, and each can
/// be taken again after a crash.
enum class step : std::uint8_t {
  idle,
  stopping,
  checking_in,
  reviewing,
  rescuing,
};

/// What was asked of an exec that does not run yet.
struct early_input {
  ticket who = 0;
  bool eof = false;
  std::uint16_t rows = 0; // above 0: its terminal's size, and no bytes
  std::uint16_t cols = 0;
};

/// The standard input of an exec that is not over.
struct exec_input {
  std::uint64_t waiting = 0; // bytes that it has not taken yet
  std::size_t requests = 0;  // that bring them
  bool closed = false;       // nothing more will follow
  std::vector<early_input> early;
};

/// Somebody who wants to clone or push before the checkout is on disk.
struct early_transfer {
  ticket who = 0;
  std::string token_hash;
};

// -- inputs -------------------------------------------------------------------

namespace in {

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
struct exec_started {
  std::string exec_id;
  unix_ms time = 0;
};
struct exec_ended {
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

} // namespace in

using input = std::variant<
  in::begin, in::start_asked, in::checkout_made, in::checkout_failed,
  in::checkout_installed, in::checkout_install_failed, in::extend_asked,
  in::checkin_asked, in::checkin_saved, in::checkin_failed, in::review_queued,
  in::review_refused, in::terminate_asked, in::give_up, in::runner_stopped,
  in::rescue_saved, in::rescue_failed, in::tick, in::stored, in::store_refused,
  in::exec_asked, in::exec_unkept, in::exec_started, in::exec_ended,
  in::exec_finalized, in::exec_recalled, in::cancel_asked, in::signal_asked,
  in::input_asked, in::input_done, in::resize_asked, in::rotate_asked,
  in::transfer_asked, in::pushed, in::look, in::branch_polled>;

// -- effects ------------------------------------------------------------------

/// What an event says beside what all of its kind say.
using field =
  std::variant<std::string, bool, std::int64_t, std::vector<std::string>>;
using event_fields = std::map<std::string, field>;

namespace out {

struct make_checkout {};
struct install_checkout {};
struct stop_runner {};
struct save_checkin {};
struct save_rescue {};
struct queue_review {};
struct end_transfers {};   // by git over HTTP: the token is not good any more
struct remove_checkout {}; // the work is safe elsewhere
struct over {};            // branch and slot are free, no deadline is left

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
struct start_exec {
  exec_spec spec;
};
/// Write the request down, so that a revived session knows it. Comes first; if
/// that fails `exec_unkept` is fed, and what follows is not performed.
struct keep_exec {
  ticket who = 0;
  std::string exec_id;
};
struct spawn_exec {
  std::string exec_id;
};
struct kill_exec {
  std::string exec_id;
};
struct signal_exec {
  std::string exec_id;
  std::int32_t signal = 0;
};
struct write_input { // what `who` has sent
  ticket who = 0;
  std::string exec_id;
  bool eof = false;
};
struct resize_exec {
  ticket who = 0;
  std::string exec_id;
  std::uint16_t rows = 0;
  std::uint16_t cols = 0;
};
struct archive_exec { // it is not at hand any more
  std::string exec_id;
};

struct poll_branch {};

struct answer_refused {
  ticket who = 0;
  refusal why;
};
struct answer_session { // with the record
  ticket who = 0;
};
struct answer_exec_later { // when it runs or waits in the queue
  ticket who = 0;
  std::string exec_id;
};
struct answer_exec_ended { // when it is over
  ticket who = 0;
  std::string exec_id;
};
struct answer_checkin {
  ticket who = 0;
};
struct answer_token { // with the secret that they were made
  ticket who = 0;
};
struct answer_transfer {
  ticket who = 0;
};
struct answer_terminated {
  ticket who = 0;
};

} // namespace out

using effect = std::variant<
  out::make_checkout, out::install_checkout, out::stop_runner,
  out::save_checkin, out::save_rescue, out::queue_review, out::end_transfers,
  out::remove_checkout, out::over, out::arm, out::persist, out::publish_stored,
  out::publish, out::publish_exec, out::start_exec, out::keep_exec,
  out::spawn_exec, out::kill_exec, out::signal_exec, out::write_input,
  out::resize_exec, out::archive_exec, out::poll_branch, out::answer_refused,
  out::answer_session, out::answer_exec_later, out::answer_exec_ended,
  out::answer_checkin, out::answer_token, out::answer_transfer,
  out::answer_terminated>;

using effects = std::vector<effect>;

// -- state --------------------------------------------------------------------

/// A change of the record that is on its way to the store.
struct stored_change {
  session_record next;
  ticket who = 0; // asked for it, and hears of a refusal; 0: cannot be refused
  effects then;   // once it is stored, its events are published
};

struct state {
  session_record record;
  limits bounds;

  std::string setup; // to be run when the session becomes active, or empty

  std::map<std::string, exec_record> execs; // those at hand
  std::map<std::string, exec_input> inputs; // by exec id, made when needed
  std::vector<std::string> order;           // exec ids, oldest first
  std::deque<std::string> waiting;   // queued execs, first come first served
  std::deque<std::string> finalized; // over, the timeline has it all
  std::uint32_t running = 0;         // started or about to be

  ending why = ending::none;
  step at = step::idle;
  refusal failure;          // why the session failed, or is to
  caller author;            // of the check-in commit
  std::string message;      // of the check-in commit
  bool skip_review = false; // what the check-in is to do afterwards
  bool auto_merge = false;
  std::string commit;                  // what the check-in made
  review_record review;                // what it queued; no id: nothing
  std::vector<rescue_ref> rescue_refs; // what the ending has kept so far
  std::string rescue_note;
  std::string tip;      // of the session's branch, as last announced
  bool looking = false; // it is being asked where the branch stands
  bool look_again = false;
  bool outdated = false; // a push has moved it since it was asked

  bool installing = false; // the checkout is not on disk yet: nobody may use it
  bool stopped_early = false; // an ending goes on once the checkout is there

  // Who waits, and for what. A list is answered when what it waits for has
  // happened and is stored, never copied before: more may come meanwhile.
  std::vector<ticket> starters;                // the session to be made, or not
  std::vector<ticket> askers;                  // the ending that `why` names
  std::vector<early_transfer> early_transfers; // the checkout to be on disk

  std::optional<stored_change> changing;
  std::deque<input> deferred; // may change the record: until that is stored
};

/// True while a change is on its way to the store.
inline bool busy(const state& s) noexcept {
  return s.changing.has_value();
}

/// The exec that a project's setup runs as, and the field of session.created
/// that says so.
inline constexpr const char* setup_exec = "setup";
inline constexpr const char* setup_field = "setup_exec_id";
/// The field of session.ended that names where the work is kept.

/// What is to be done about `what`, in this order.
effects apply(state& s, const input& what);

/// The next time at which the session needs a tick: a warning or its end.
/// 0 where it needs none.
unix_ms next_deadline(const session_record& record) noexcept;

/// The smallest expiry warning that no longer makes sense when a session has
/// `remaining` left: what `record.warned` is set to when a deadline is set.
millis first_warning(millis remaining) noexcept;

} // namespace greenroom::session
