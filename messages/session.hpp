// Messages to a session, and its interface.
//
// One actor per session: the only writer of its state, the sequencer of its
// events. A request is answered once, when what it asked for is done and as
// durable as DESIGN promises, or with a refusal (messages/errors.hpp).
#pragma once

#include "messages/edge.hpp"
#include "messages/git.hpp"
#include "messages/log_reader.hpp"
#include "messages/runner.hpp"
#include "messages/shared_text.hpp"

#include <caf/typed_actor.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace greenroom {

// -- its life -----------------------------------------------------------------

/// Answered with the record once the session is active, or with why not.
struct start_session {};
GREENROOM_INSPECT(start_session)

struct get_session {};
GREENROOM_INSPECT(get_session)

/// A session's JSON, encoded when it last changed.
struct session_view {
  shared_text json;
};
GREENROOM_INSPECT(session_view, x.json)

struct extend_session {
  millis expires_in = 0; // from now
  caller by = {};
};
GREENROOM_INSPECT(extend_session, x.expires_in, x.by)

struct checkin_session {
  caller by;
  bool skip_review = false;
  bool auto_merge = false;
  std::string commit_message; // empty: one is made
  bool repeat = false; // the request was made before: a session that has been
                       // checked in answers with how that went
};
GREENROOM_INSPECT(checkin_session, x.by, x.skip_review, x.auto_merge,
                  x.commit_message, x.repeat)

struct checkin_reply {
  std::string session_id;
  session_status status = session_status::ended;
  std::string commit; // 40 hex digits
  std::string branch;
  std::string review_id;               // empty: none was queued
  std::string merge = "not_requested"; // as openapi.json has it
  std::string merge_reason; // why it is not merged, where there is one
  std::string merge_commit;
  std::vector<std::string> files;      // in conflict
  std::vector<rescue_ref> rescue_refs; // what the branch has not
  std::string rescue_note;
};
GREENROOM_INSPECT(checkin_reply, x.session_id, x.status, x.commit, x.branch,
                  x.review_id, x.merge, x.merge_reason, x.merge_commit, x.files,
                  x.rescue_refs, x.rescue_note)

struct terminate_session {
  caller by;
  bool repeat = false; // as in checkin_session
};
GREENROOM_INSPECT(terminate_session, x.by, x.repeat)

struct terminate_reply {
  std::string session_id;
  std::vector<rescue_ref> rescue_refs; // empty: there was nothing to keep
  std::string rescue_note;
};
GREENROOM_INSPECT(terminate_reply, x.session_id, x.rescue_refs, x.rescue_note)

/// The upstream has the session's rescue refs now.
struct rescue_pushed {
  std::string note; // what is left to say of them, or empty
};
GREENROOM_INSPECT(rescue_pushed, x.note)

/// Removes the checkout that the session's end has kept on disk because it
/// could not be saved elsewhere. Refused while the session is live.
struct drop_kept {
  caller by = {};
};
GREENROOM_INSPECT(drop_kept, x.by)

/// Test only: the session's actor throws, as if it had a bug.
struct crash_session {};
GREENROOM_INSPECT(crash_session)

// -- commands in it -----------------------------------------------------------

struct start_exec {
  caller by;
  exec_spec spec;  // exec_id empty: the session makes one
  millis wait = 0; // how long the answer may wait for the end, 0: not at all
};
GREENROOM_INSPECT(start_exec, x.by, x.spec, x.wait)

/// The same for a command whose standard input gets something first. That is
/// part of what is asked for: it is written down with the exec and fed once,
/// whatever crashes, and however often this is sent with the same exec_id. A
/// node of an older release does not know this message.
struct start_fed_exec {
  caller by;
  exec_spec spec; // with its exec_id
  millis wait = 0;
  shared_text input;      // not empty
  std::string input_hash; // its SHA-256, 64 lower-case hex digits
  bool input_ends = true; // nothing follows it
};
GREENROOM_INSPECT(start_fed_exec, x.by, x.spec, x.wait, x.input, x.input_hash,
                  x.input_ends)

struct get_exec {
  std::string exec_id;
};
GREENROOM_INSPECT(get_exec, x.exec_id)

struct list_execs {
  std::uint32_t limit = 0; // 0: all
  std::string cursor;
};
GREENROOM_INSPECT(list_execs, x.limit, x.cursor)

/// An exec as clients see it. `json` is openapi.json's Exec; after a
/// `wait` in which it ended it has `stdout` and `stderr` too.
struct exec_view {
  shared_text json;
  bool ended = false;
};
GREENROOM_INSPECT(exec_view, x.json, x.ended)

struct exec_page {
  shared_text json;        // an array of Exec objects, newest first
  std::string next_cursor; // empty: that was all
};
GREENROOM_INSPECT(exec_page, x.json, x.next_cursor)

struct cancel_exec {
  std::string exec_id;
  caller by = {};
};
GREENROOM_INSPECT(cancel_exec, x.exec_id, x.by)

/// Bytes for an exec's standard input, answered when the kernel has them all.
/// Refused where the exec does not run or its input is closed, and with
/// overloaded where more than 4 MiB wait for a command that does not read.
struct write_input {
  std::string exec_id;
  shared_text data;
  bool eof = false; // nothing more will follow
  caller by = {};
};
GREENROOM_INSPECT(write_input, x.exec_id, x.data, x.eof, x.by)

struct resize_exec {
  std::string exec_id;
  std::uint16_t rows = 0;
  std::uint16_t cols = 0;
  caller by = {};
};
GREENROOM_INSPECT(resize_exec, x.exec_id, x.rows, x.cols, x.by)

struct signal_exec {
  std::string exec_id;
  std::int32_t signal = 0;
  caller by = {};
};
GREENROOM_INSPECT(signal_exec, x.exec_id, x.signal, x.by)

// -- git in it ----------------------------------------------------------------

/// Makes a new clone token; the old one is dead when the answer comes.
struct rotate_token {
  caller by = {};
};
GREENROOM_INSPECT(rotate_token, x.by)

struct session_token {
  std::string token;
};
GREENROOM_INSPECT(session_token, x.token)

/// A transfer by git shows a session its token. Answered where that is right;
/// `edge` is told when the token dies.
struct open_transfer {
  std::string token_hash; // SHA-256, 64 hex digits
  git_edge_actor edge;
};
GREENROOM_INSPECT(open_transfer, x.token_hash, x.edge)

struct transfer_grant {
  session_record session;
  project_record project;
};
GREENROOM_INSPECT(transfer_grant, x.session, x.project)

/// Git inside of the session asks for `origin`: answered while the session
/// takes work.
struct open_origin {};
GREENROOM_INSPECT(open_origin)

/// A push over HTTP has moved the session's branch.
struct branch_pushed {
  std::string old_commit; // empty: the branch had none
  std::string new_commit;
  bool applied = true; // the checkout follows
  caller by = {};
};
GREENROOM_INSPECT(branch_pushed, x.old_commit, x.new_commit, x.applied, x.by)

// -- its events ---------------------------------------------------------------

/// Registers a watcher that has everything up to `after`; with `at_end` it
/// wants only what comes from now on, and `after` is ignored.
struct watch_session {
  watcher_actor watcher;
  std::uint64_t after = 0;
  bool at_end = false;
};
GREENROOM_INSPECT(watch_session, x.watcher, x.after, x.at_end)

/// Takes a watcher off the list; it may register again later. A watcher that
/// dies is taken off by itself.
struct unwatch_session {
  watcher_actor watcher;
};
GREENROOM_INSPECT(unwatch_session, x.watcher)

/// How a watcher stands to its session.
enum class watch_state : std::uint8_t {
  hot,    // registered: every batch after `last` will be sent to it
  behind, // not registered: read_events up to `last`, then ask again
  over,   // `last` is session.ended: nothing will ever follow
};

struct watch_reply {
  watch_state state = watch_state::behind;
  event_id last;
};
GREENROOM_INSPECT(watch_reply, x.state, x.last)

using session_actor = caf::typed_actor<
  // -- its life
  // Waits until it is active; the record, or why it is not.
  caf::replies_to<start_session>::with<session_record>,
  // Its JSON as it is now.
  caf::replies_to<get_session>::with<session_view>,
  // Sets a new end; the JSON with it.
  caf::replies_to<extend_session>::with<session_view>,
  // Ends it with its work in the branch, then queues or does a merge.
  caf::replies_to<checkin_session>::with<checkin_reply>,
  // Ends it with its work under rescue refs.
  caf::replies_to<terminate_session>::with<terminate_reply>,
  // Warns of its end, or ends it, where that is due.
  caf::reacts_to<clock_tick>,
  // Its project's settings have changed.
  caf::reacts_to<project_changed>,
  // The upstream has its rescue refs; answered once that is stored.
  caf::replies_to<rescue_pushed>::with<done>,
  // Removes what its end has kept on disk.
  caf::replies_to<drop_kept>::with<done>,
  // Test only: throws.
  caf::reacts_to<crash_session>,
  // -- commands in it
  // Runs a command; answers once it runs, waits in the queue or, with `wait`,
  // has ended.
  caf::replies_to<start_exec>::with<exec_view>,
  // Likewise, and feeds it first.
  caf::replies_to<start_fed_exec>::with<exec_view>,
  // One command.
  caf::replies_to<get_exec>::with<exec_view>,
  // A page of its commands.
  caf::replies_to<list_execs>::with<exec_page>,
  // Ends a command: TERM, a grace period, KILL.
  caf::replies_to<cancel_exec>::with<exec_view>,
  // Writes to a command's standard input.
  caf::replies_to<write_input>::with<done>,
  // Changes the size of a command's terminal.
  caf::replies_to<resize_exec>::with<done>,
  // Sends a signal to a command's process group.
  caf::replies_to<signal_exec>::with<exec_view>,
  // Connects to a port that its commands listen on.
  caf::replies_to<connect_port>::with<port_connection>,
  // The ports that they listen on.
  caf::replies_to<list_ports>::with<port_list>,
  // -- git in it
  // A new clone token in place of the old one.
  caf::replies_to<rotate_token>::with<session_token>,
  // Lets a transfer by git in, where its token is right.
  caf::replies_to<open_transfer>::with<transfer_grant>,
  // Lets its own git at `origin`.
  caf::replies_to<open_origin>::with<transfer_grant>,
  // A push has moved its branch.
  caf::reacts_to<branch_pushed>,
  // Status, diff or mergeability of its checkout.
  caf::replies_to<ask_git>::with<git_answer>,
  // -- its events
  // Registers a watcher that has all events so far, or says what it lacks.
  caf::replies_to<watch_session>::with<watch_reply>,
  // Takes a watcher off the list.
  caf::reacts_to<unwatch_session>,
  // The events after a cursor, from the log.
  caf::replies_to<read_events>::with<event_batch>,
  // A page of the timeline.
  caf::replies_to<read_timeline>::with<timeline_page>,
  // -- what its runner says: see runner_user_actor
  caf::reacts_to<runner_up>, caf::reacts_to<runner_down>,
  caf::reacts_to<exec_started>, caf::reacts_to<exec_refused>,
  caf::reacts_to<exec_grown>, caf::reacts_to<exec_ended>,
  caf::reacts_to<input_written>, caf::reacts_to<ports_changed>,
  caf::reacts_to<port_connected>>;

// -- from a session to itself -------------------------------------------------

/// The time that a request was ready to wait is over.
struct wait_over {
  std::uint64_t ticket = 0;
};
GREENROOM_INSPECT(wait_over, x.ticket)

/// Somebody may have committed in the checkout.
struct look_at_branch {};
GREENROOM_INSPECT(look_at_branch)

/// A journal writer has done something for it: the results lie in its journal.
struct journal_ready {};
GREENROOM_INSPECT(journal_ready)

/// What could not be stored or written a moment ago is tried again.
struct retry_later {};
GREENROOM_INSPECT(retry_later)

/// A session that is over looks whether anybody still asks for it.
struct check_idle {};
GREENROOM_INSPECT(check_idle)

/// To itself: a checkpoint is due, unless another time was meant since.
struct checkpoint_due {
  std::uint64_t turn = 0;
};
GREENROOM_INSPECT(checkpoint_due, x.turn)

using session_core = session_actor::extend<
  // The time that a request may wait is over.
  caf::reacts_to<wait_over>,
  // A journal writer has answered.
  caf::reacts_to<journal_ready>,
  // Tries again what the store or the disk did not take.
  caf::reacts_to<retry_later>,
  // Ends the actor of a session that is over and not in use.
  caf::reacts_to<check_idle>,
  // Asks where the branch stands.
  caf::reacts_to<look_at_branch>,
  // Saves the work for another node.
  caf::reacts_to<checkpoint_due>>;

} // namespace greenroom
