// What a session knows. Only the machine changes it.
#pragma once

#include "actors/session/machine/effects.hpp"
#include "actors/session/machine/events.hpp"
#include "messages/records.hpp"
#include "messages/time.hpp"

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace greenroom::session {

struct limits {
  std::uint32_t max_concurrent = 8; // execs running at once
  std::uint32_t max_queued = 64;    // execs waiting; beyond that: refused
  millis max_lifetime = 30LL * 24 * 3600 * 1000; // from creation
  std::uint32_t max_finished = 256; // execs in memory that are over
};

/// Bytes for an exec's standard input that wait for it to read.
inline constexpr std::uint64_t max_waiting_input = 4 * 1024 * 1024;

/// Questions to git (status, diff, mergeability) of one session that may wait
/// at a time: more than the browsers and scripts of a team ask. How many are
/// answered at once, and whose turn it is, is up to who answers them.
inline constexpr std::size_t max_questions = 32;

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

/// The session's runner, as far as is known.
enum class runner_state : std::uint8_t {
  absent,
  asked, // to start, to be found or to stop: it is yet to say how that went
  up,
};

/// How far a checkout is that is made again from the session's checkpoint,
/// where another node has had the session.
enum class restoring : std::uint8_t {
  no,      // it is there, or is not made of a checkpoint
  waiting, // for its turn
  making,  // git is at it
  pausing, // it failed, and is tried again after a while
};

/// An exec that takes one of the places, until its end is announced.
struct run {
  bool sent = false;       // the runner was told of it
  bool canceled = false;   // the runner is, or is to be, told to kill it
  bool ended = false;      // its end is known
  caller canceler = {};    // who asked for that
  caller signaler = {};    // who sent the last signal
  std::int32_t signal = 0; // which it was, 0: none
  bool evicted = false;    // the session goes to another node, and it cannot
};

/// Somebody who waits for an exec to start or to end.
struct waiter {
  ticket who = 0;
  bool until_end = false;
  bool with_output = false; // the answer has it, if the exec is over
};

/// An exec that is being written down. Nobody sees it yet, and what is asked of
/// it meanwhile waits.
struct new_exec {
  exec_record exec;
  std::uint64_t input = 0; // bytes that it is to be fed at first
  waiter asker;
  std::vector<any_event> later;
  bool placed = false; // has one of the places: its runner is told at once
  bool lost = false;   // and that runner is gone
};

/// Bytes for an exec's standard input, or a size for its terminal.
struct sent_input {
  ticket who = 0;
  std::uint64_t size = 0;
  bool eof = false;
  std::uint16_t rows = 0; // above 0: a terminal's size, and no bytes
  std::uint16_t cols = 0;
};

/// The standard input of an exec that is not over.
struct exec_input {
  std::uint64_t waiting = 0;     // bytes that it has not taken yet
  std::size_t requests = 0;      // that bring them
  bool closed = false;           // nothing more will follow
  std::vector<sent_input> early; // it does not run yet
};

/// What has been passed to the runner, or waits for that to be found.
struct passed_input {
  std::string exec_id;
  std::uint64_t size = 0;
  bool counts = true; // as input; a terminal's size does not
};

/// Somebody who wants to clone or push before the checkout is on disk.
struct early_transfer {
  ticket who = 0;
  std::string token_hash;
};

/// A change of the record that is on its way to the store.
struct stored_change {
  session_record next;
  ticket who = 0; // asked for it, and hears of a refusal; 0: cannot be refused
  effects then;   // once it is stored, its events are published
};

// There are thousands of these, and their queues are mostly empty: a deque
// takes 600 bytes then, a list none.
struct state {
  session_record record;
  limits bounds;

  std::string setup; // to be run when the session becomes active, or empty
  bool setup_waits = false; // it could not be begun, and is tried again

  std::map<std::string, exec_record> execs; // those at hand
  std::map<std::string, new_exec> keeping;  // being written down
  std::vector<std::string> order;           // exec ids, oldest first
  std::list<std::string> waiting;   // queued execs, first come first served
  std::list<std::string> finalized; // over, the timeline has it all
  std::uint32_t running = 0;        // started or about to be
  std::map<std::string, run> runs;
  std::map<std::string, std::vector<waiter>> waiters; // by exec id

  runner_state runner = runner_state::absent;
  bool starting = false; // it was asked for because something is to run
  bool stopping = false; // it was told to stop, for an ending
  bool stopped = false;  // it has: the ending goes on when all is quiet
  std::vector<std::string> unsent; // execs to be started once it is up
  std::vector<any_effect> held;    // for those that run, likewise

  std::map<std::string, exec_input> inputs; // by exec id, made when needed
  std::map<ticket, passed_input> passed;

  ending why = ending::none;
  step at = step::idle;
  refusal failure; // why the session failed, or is to
  caller creator;  // as long as its actor is the first
  caller terminator;
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
  bool outdated = false;     // a push has moved it since it was asked
  std::size_t transfers = 0; // by git over HTTP, that were let in
  std::size_t questions = 0; // to git, that are not answered yet

  bool installing = false; // the checkout is not on disk yet: nobody may use it
  bool roams = false;      // another node may have had the session
  restoring restore = restoring::no; // else it is `installing` too
  bool urgent = false;               // somebody waits for that
  std::uint32_t restore_tries = 0;   // that failed
  std::string restore_problem;       // of the last of them
  bool unmade = false; // it ends without a checkout: its checkpoint is kept
  bool stopped_early = false; // an ending goes on once the checkout is there

  // Who waits, and for what. A list is answered when what it waits for has
  // happened and is stored, never copied before: more may come meanwhile.
  std::vector<ticket> starters; // the session to be made, or not
  std::vector<ticket> askers;   // the ending that `why` names
  std::vector<ticket> enders; // its end, whichever that is: another one than a
                              // DELETE's was on its way already
  bool end_wanted = false;    // by one of them, whether they wait or not
  std::vector<early_transfer> early_transfers; // the checkout to be on disk
  std::vector<ticket> early_questions;         // likewise
  std::vector<event::exec_asked> early_execs;  // to be restored
  std::vector<event::checkin_asked> early_checkins; // likewise

  bool leaving = false;     // it is to go to another node: takes no more work
  std::string leave_reason; // not empty: what runs is being ended for that

  std::uint64_t unexpected = 0; // events that nothing has led to

  std::optional<stored_change> changing;
  std::list<any_event> deferred; // may change the record: until that is stored
};

/// True while requests wait for the checkout to be restored.
inline bool is_needed(const state& s) noexcept {
  return s.restore != restoring::no
         && !(s.early_transfers.empty() && s.early_questions.empty()
              && s.early_execs.empty() && s.early_checkins.empty());
}

/// True while a change is on its way to the store.
inline bool busy(const state& s) noexcept {
  return s.changing.has_value();
}

} // namespace greenroom::session
