// What actors say to each other, one struct a message.
//
// Grouped by who receives them; messages/actors.hpp says who answers what.
// All are plain values that serialise, so a handle may be on another node.
#pragma once

#include "messages/events.hpp"
#include "messages/records.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace greenroom {

#define GREENROOM_INSPECT(type, ...)                                           \
  template <class Inspector>                                                   \
  typename Inspector::result_type inspect(Inspector& f,                        \
                                          [[maybe_unused]] type& x) {          \
    return f(caf::meta::type_name(#type) __VA_OPT__(, ) __VA_ARGS__);          \
  }

/// Done; there is nothing more to say. (CAF drops a bare unit on the way.)
struct done {};
GREENROOM_INSPECT(done)

// -- to the directory ---------------------------------------------------------

/// Answered with the project's handle, or not_found "project not found".
struct find_project {
  std::string project_id;
};
GREENROOM_INSPECT(find_project, x.project_id)

/// Answered with the session's handle, awake or revived for this request, or
/// not_found "session not found" (also where it is another project's).
struct find_session {
  std::string project_id;
  std::string session_id;
};
GREENROOM_INSPECT(find_session, x.project_id, x.session_id)

struct list_projects {};
GREENROOM_INSPECT(list_projects)

struct project_list {
  std::vector<project_record> projects; // by id
};
GREENROOM_INSPECT(project_list, x.projects)

struct get_project {
  std::string project_id;
};
GREENROOM_INSPECT(get_project, x.project_id)

/// Refused with project_exists where the id is taken.
struct create_project {
  project_record project;
};
GREENROOM_INSPECT(create_project, x.project)

/// `fields` is a JSON object with the fields to change, in the form of the
/// configuration file plus `status`.
struct change_project {
  std::string project_id;
  std::string fields;
};
GREENROOM_INSPECT(change_project, x.project_id, x.fields)

/// Refused with conflict while the project has live sessions.
struct delete_project {
  std::string project_id;
};
GREENROOM_INSPECT(delete_project, x.project_id)

// -- to the key registry ------------------------------------------------------

struct create_key {
  std::string key_id; // empty: one is made
  std::string name;
  std::string author; // `Name <mail>`, or empty
  std::vector<std::string> scopes;
  std::vector<std::string> projects; // empty: all
  millis expires_in = 0;             // 0: never
};
GREENROOM_INSPECT(create_key, x.key_id, x.name, x.author, x.scopes, x.projects,
                  x.expires_in)

struct key_created {
  key_record key;
  std::string secret; // shown this once
};
GREENROOM_INSPECT(key_created, x.key, x.secret)

struct list_keys {};
GREENROOM_INSPECT(list_keys)

struct key_list {
  std::vector<key_record> keys; // newest first
};
GREENROOM_INSPECT(key_list, x.keys)

/// Answered once no request can pass with the key any more.
struct revoke_key {
  std::string key_id;
};
GREENROOM_INSPECT(revoke_key, x.key_id)

// -- to a project -------------------------------------------------------------

/// Fields are checked for form at the edge; the project decides the rest.
/// Where a session of the given id is there already, the request is a
/// repetition: it is answered with that session and a new clone token.
struct create_session {
  std::string session_id; // empty: one is made
  caller by;
  std::string branch;     // exactly one of branch
  std::string new_branch; // and new_branch is set
  std::string from_ref;   // with new_branch; empty: the default branch
  std::string feature_slug;
  millis expires_in = 0;
  std::uint16_t preview_port = 8080;
  on_expire expiry = on_expire::rescue;
  string_map labels;
};
GREENROOM_INSPECT(create_session, x.session_id, x.by, x.branch, x.new_branch,
                  x.from_ref, x.feature_slug, x.expires_in, x.preview_port,
                  x.expiry, x.labels)

struct created_session {
  session_record session;
  std::string token; // for git; shown this once, only its hash is kept
};
GREENROOM_INSPECT(created_session, x.session, x.token)

struct list_sessions {
  std::string status;       // a session_status, empty: all
  std::string feature_slug; // empty: all
  std::uint32_t limit = 0;  // 0: all
  std::string cursor;       // empty: from the newest
};
GREENROOM_INSPECT(list_sessions, x.status, x.feature_slug, x.limit, x.cursor)

struct session_entry {
  session_record session;
  std::uint32_t running_execs = 0;
};
GREENROOM_INSPECT(session_entry, x.session, x.running_execs)

struct session_page {
  std::vector<session_entry> sessions; // newest first
  std::string next_cursor;             // empty: that was all
};
GREENROOM_INSPECT(session_page, x.sessions, x.next_cursor)

/// A check-in asks for a review, or with `skip_review` and `auto_merge` for a
/// merge at once. Answered when the review is stored, and where it is merged
/// at once when that is done. A repetition for the same session is answered
/// with the review that is there.
struct queue_review {
  session_record session; // with its commit
  caller by;
  bool skip_review = false;
  bool auto_merge = false;
};
GREENROOM_INSPECT(queue_review, x.session, x.by, x.skip_review, x.auto_merge)

struct list_reviews {
  std::string status;      // a review_status, empty: all
  std::uint32_t limit = 0; // 0: all
  std::string cursor;      // empty: from the newest
};
GREENROOM_INSPECT(list_reviews, x.status, x.limit, x.cursor)

struct review_page {
  std::vector<review_record> reviews; // newest first
  std::string next_cursor;            // empty: that was all
};
GREENROOM_INSPECT(review_page, x.reviews, x.next_cursor)

struct get_review {
  std::string review_id;
};
GREENROOM_INSPECT(get_review, x.review_id)

/// Answered with the review once the decision is stored and, where it is to
/// be merged, once that is done.
struct decide_review {
  std::string review_id;
  caller by;
  bool approve = false;
  std::string comment;
  bool repeat = false; // one that was taken before is answered as it stands
};
GREENROOM_INSPECT(decide_review, x.review_id, x.by, x.approve, x.comment,
                  x.repeat)

/// Answered with a unified diff.
struct get_review_diff {
  std::string review_id;
};
GREENROOM_INSPECT(get_review_diff, x.review_id)

/// A review command's work as it goes on: the project hears of it from the
/// actor that runs it.
struct review_ran {
  std::string review_id;
  exec_outcome outcome;
};
GREENROOM_INSPECT(review_ran, x.review_id, x.outcome)

/// The directory tells a project and the supervisor of new rules.
struct project_changed {
  project_record project;
};
GREENROOM_INSPECT(project_changed, x.project)

// -- to the session supervisor ------------------------------------------------

/// Spawns the actor of a session that was just stored as `creating`.
struct launch_session {
  session_record session;
  project_record project;
};
GREENROOM_INSPECT(launch_session, x.session, x.project)

/// A session asks to be sent a clock_tick at a time; 0: never.
struct arm_deadline {
  std::string session_id;
  unix_ms at = 0;
};
GREENROOM_INSPECT(arm_deadline, x.session_id, x.at)

/// A session says how many execs run in it; lists of sessions show it.
struct session_load {
  std::string session_id;
  std::uint32_t running_execs = 0;
};
GREENROOM_INSPECT(session_load, x.session_id, x.running_execs)

struct get_loads {
  std::vector<std::string> session_ids;
};
GREENROOM_INSPECT(get_loads, x.session_ids)

struct session_loads {
  std::vector<std::uint32_t> running_execs; // in the order asked
};
GREENROOM_INSPECT(session_loads, x.running_execs)

/// The supervisor tells itself that a crashed session's pause is over.
struct revive_session {
  std::string session_id;
};
GREENROOM_INSPECT(revive_session, x.session_id)

/// Makes an actor of every session that the store calls live, brings each in
/// order with what lies on disk, and answers when the node may serve.
struct reconcile {};
GREENROOM_INSPECT(reconcile)

struct reconciled {
  std::uint32_t sessions = 0;
};
GREENROOM_INSPECT(reconciled, x.sessions)

// -- to a session -------------------------------------------------------------

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

struct start_exec {
  caller by;
  exec_spec spec;  // exec_id empty: the session makes one
  millis wait = 0; // how long the answer may wait for the end, 0: not at all
};
GREENROOM_INSPECT(start_exec, x.by, x.spec, x.wait)

struct get_exec {
  std::string exec_id;
};
GREENROOM_INSPECT(get_exec, x.exec_id)

struct list_execs {
  std::uint32_t limit = 0; // 0: all
  std::string cursor;
};
GREENROOM_INSPECT(list_execs, x.limit, x.cursor)

/// An exec as clients see it. `json` is the Exec object of API.md; after a
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
};
GREENROOM_INSPECT(cancel_exec, x.exec_id)

/// Bytes for an exec's standard input, answered when the kernel has them all.
/// Refused where the exec does not run or its input is closed, and with
/// overloaded where more than 4 MiB wait for a command that does not read.
struct write_input {
  std::string exec_id;
  shared_text data;
  bool eof = false; // nothing more will follow
};
GREENROOM_INSPECT(write_input, x.exec_id, x.data, x.eof)

struct resize_exec {
  std::string exec_id;
  std::uint16_t rows = 0;
  std::uint16_t cols = 0;
};
GREENROOM_INSPECT(resize_exec, x.exec_id, x.rows, x.cols)

struct signal_exec {
  std::string exec_id;
  std::int32_t signal = 0;
};
GREENROOM_INSPECT(signal_exec, x.exec_id, x.signal)

/// Makes a new clone token; the old one is dead when the answer comes.
struct rotate_token {};
GREENROOM_INSPECT(rotate_token)

struct session_token {
  std::string token;
};
GREENROOM_INSPECT(session_token, x.token)

/// What git knows of a session.
enum class git_question : std::uint8_t {
  state,        // JSON: head, branch, ahead, behind, dirty_files
  diff,         // a unified diff of branch and work tree against the base
  mergeability, // JSON: of the branch, as committed, into `target`
};

struct ask_git {
  git_question what = git_question::state;
  std::string target; // empty: the project's default branch
};
GREENROOM_INSPECT(ask_git, x.what, x.target)

struct git_answer {
  shared_text text;
};
GREENROOM_INSPECT(git_answer, x.text)

/// A push over HTTP has moved the session's branch.
struct branch_pushed {
  std::string old_commit; // empty: the branch had none
  std::string new_commit;
  bool applied = true; // the checkout follows
};
GREENROOM_INSPECT(branch_pushed, x.old_commit, x.new_commit, x.applied)

struct extend_session {
  millis expires_in = 0; // from now
};
GREENROOM_INSPECT(extend_session, x.expires_in)

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
  std::string merge = "not_requested"; // as API.md has it
  std::string merge_reason; // why it is not merged, where there is one
  std::string merge_commit;
  std::vector<std::string> files; // in conflict
};
GREENROOM_INSPECT(checkin_reply, x.session_id, x.status, x.commit, x.branch,
                  x.review_id, x.merge, x.merge_reason, x.merge_commit, x.files)

struct terminate_session {
  caller by;
  bool repeat = false; // as in checkin_session
};
GREENROOM_INSPECT(terminate_session, x.by, x.repeat)

struct terminate_reply {
  std::string session_id;
  std::vector<std::string> rescue_refs; // empty: there was nothing to keep
};
GREENROOM_INSPECT(terminate_reply, x.session_id, x.rescue_refs)

/// What follows `after`, read from the log at the reader's own pace.
struct read_events {
  std::uint64_t after = 0;
  event_filter filter;
  std::uint32_t max_bytes = 256 * 1024;
};
GREENROOM_INSPECT(read_events, x.after, x.filter, x.max_bytes)

/// A page of the timeline as JSON, oldest first.
struct read_timeline {
  std::uint64_t after = 0;
  event_filter filter;
  std::uint32_t limit = 0; // 0: as many as fit in a page of 4 MiB
};
GREENROOM_INSPECT(read_timeline, x.after, x.filter, x.limit)

struct timeline_page {
  shared_text json;             // an array of events
  std::uint64_t next_after = 0; // 0: that was all
};
GREENROOM_INSPECT(timeline_page, x.json, x.next_after)

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

/// The supervisor's clock, at the time that the session armed (or later).
struct clock_tick {
  unix_ms now = 0;
};
GREENROOM_INSPECT(clock_tick, x.now)

/// Test only: the session's actor throws, as if it had a bug.
struct crash_session {};
GREENROOM_INSPECT(crash_session)

// -- from a session to itself -------------------------------------------------

/// The time that a request was ready to wait is over.
struct wait_over {
  std::uint64_t ticket = 0;
};
GREENROOM_INSPECT(wait_over, x.ticket)

/// Somebody may have committed in the checkout.
struct look_at_branch {};
GREENROOM_INSPECT(look_at_branch)

/// There is more output of this exec to announce.
struct continue_output {
  std::string exec_id;
};
GREENROOM_INSPECT(continue_output, x.exec_id)

/// What could not be stored or written a moment ago is tried again.
struct retry_later {};
GREENROOM_INSPECT(retry_later)

/// A session that is over looks whether anybody still asks for it.
struct check_idle {};
GREENROOM_INSPECT(check_idle)

// -- from the runner link to a session ----------------------------------------

struct running_exec {
  std::string exec_id;
  std::uint64_t records = 0; // of its output index
  unix_ms started_at = 0;    // 0: it is just being started
};
GREENROOM_INSPECT(running_exec, x.exec_id, x.records, x.started_at)

/// A runner answered: it was started, or had survived the server.
struct runner_up {
  std::vector<running_exec> execs; // what runs in it
};
GREENROOM_INSPECT(runner_up, x.execs)

/// There is no runner: it could not be started or adopted, or it died.
struct runner_down {
  std::string reason;
};
GREENROOM_INSPECT(runner_down, x.reason)

struct exec_started {
  std::string exec_id;
  unix_ms time = 0;
};
GREENROOM_INSPECT(exec_started, x.exec_id, x.time)

struct exec_refused {
  std::string exec_id;
  std::string reason;
};
GREENROOM_INSPECT(exec_refused, x.exec_id, x.reason)

/// The exec's output index has grown to `records`.
struct exec_grown {
  std::string exec_id;
  std::uint64_t records = 0;
};
GREENROOM_INSPECT(exec_grown, x.exec_id, x.records)

struct exec_ended {
  std::string exec_id;
  std::uint64_t records = 0;
  exec_outcome outcome;
};
GREENROOM_INSPECT(exec_ended, x.exec_id, x.records, x.outcome)

/// What write_input wrote, or why not. `ticket` is the session's own.
struct input_written {
  std::uint64_t ticket = 0;
  std::string problem; // empty: all of it was written
};
GREENROOM_INSPECT(input_written, x.ticket, x.problem)

// -- to the store -------------------------------------------------------------

/// Inserts a session in the lowest free slot below `max_active`; refused with
/// session_exists or checkout_exists by the database's own constraints.
struct insert_session {
  session_record session;
  std::uint32_t max_active = 1;
};
GREENROOM_INSPECT(insert_session, x.session, x.max_active)

/// Writes a session's new state and event; refused with conflict where another
/// actor has taken the session since (a higher epoch).
struct update_session {
  session_record session;
};
GREENROOM_INSPECT(update_session, x.session)

/// Raises the epoch and answers the record: who has it owns the session.
struct take_session {
  std::string session_id;
};
GREENROOM_INSPECT(take_session, x.session_id)

struct load_session {
  std::string session_id;
};
GREENROOM_INSPECT(load_session, x.session_id)

struct query_sessions {
  std::string project_id;
  list_sessions query;
};
GREENROOM_INSPECT(query_sessions, x.project_id, x.query)

struct session_rows {
  std::vector<session_record> sessions;
  std::string next_cursor;
};
GREENROOM_INSPECT(session_rows, x.sessions, x.next_cursor)

/// The sessions of a project that hold a slot and a branch.
struct live_sessions {
  std::string project_id;
};
GREENROOM_INSPECT(live_sessions, x.project_id)

/// Takes every live session of this node, as take_session does with one.
struct take_live_sessions {};
GREENROOM_INSPECT(take_live_sessions)

struct put_project {
  project_record project;
};
GREENROOM_INSPECT(put_project, x.project)

struct drop_project {
  std::string project_id;
};
GREENROOM_INSPECT(drop_project, x.project_id)

struct put_key {
  key_record key;
};
GREENROOM_INSPECT(put_key, x.key)

struct drop_key {
  std::string key_id;
};
GREENROOM_INSPECT(drop_key, x.key_id)

struct put_review {
  review_record review;
};
GREENROOM_INSPECT(put_review, x.review)

struct load_review {
  std::string project_id;
  std::string review_id;
};
GREENROOM_INSPECT(load_review, x.project_id, x.review_id)

struct query_reviews {
  std::string project_id;
  list_reviews query;
};
GREENROOM_INSPECT(query_reviews, x.project_id, x.query)

/// Removes sessions that ended before a time, and their reviews; answered
/// with the ids, at most `limit`.
struct drop_ended {
  unix_ms before = 0;
  std::uint32_t limit = 100;
};
GREENROOM_INSPECT(drop_ended, x.before, x.limit)

struct dropped_sessions {
  std::vector<std::string> session_ids;
};
GREENROOM_INSPECT(dropped_sessions, x.session_ids)

/// A request with an Idempotency-Key is about to be served. Durable before the
/// answer, so that a crash leaves at least this.
struct begin_request {
  std::string key_id;      // whose request; each has its own names
  std::string name;        // the Idempotency-Key
  std::string fingerprint; // SHA-256 of method, path and body
  std::string run;         // this run of this node
  std::string planned_id;  // of what the request would make
  unix_ms now = 0;
};
GREENROOM_INSPECT(begin_request, x.key_id, x.name, x.fingerprint, x.run,
                  x.planned_id, x.now)

enum class request_state : std::uint8_t {
  fresh,  // never heard of
  repeat, // begun before a crash: serve it again with `planned_id`
  busy,   // being served right now
  done,   // answer with `status` and `body`
  reused, // the name stands for another request
};

struct begun_request {
  request_state state = request_state::fresh;
  std::string planned_id;
  std::uint16_t status = 0;
  std::string body;
};
GREENROOM_INSPECT(begun_request, x.state, x.planned_id, x.status, x.body)

/// The answer to a request, to be given again for 24 hours. One of status 500
/// and above is not kept: whoever asks again is served.
struct finish_request {
  std::string key_id;
  std::string name;
  std::uint16_t status = 0;
  std::string body; // holds no secret
  unix_ms now = 0;
};
GREENROOM_INSPECT(finish_request, x.key_id, x.name, x.status, x.body, x.now)

/// The store writer tells itself to write what has gathered.
struct write_batch {};
GREENROOM_INSPECT(write_batch)

// -- to the git workers -------------------------------------------------------

/// Brings the mirror up to date and finds the commit that a session starts
/// from. Refused with not_found "branch not found", or unavailable where the
/// upstream cannot be reached and the mirror does not know the name.
struct resolve_branch {
  project_record project;
  std::string branch;
  bool new_branch = false;
  std::string from_ref;
};
GREENROOM_INSPECT(resolve_branch, x.project, x.branch, x.new_branch, x.from_ref)

struct resolved_branch {
  std::string commit;
};
GREENROOM_INSPECT(resolved_branch, x.commit)

/// Makes a session's checkout, whole, but not in its place yet.
struct make_checkout {
  project_record project;
  session_record session;
};
GREENROOM_INSPECT(make_checkout, x.project, x.session)

/// Puts the checkout that was made into its place, once all of it is on disk.
struct install_checkout {
  std::string session_id;
};
GREENROOM_INSPECT(install_checkout, x.session_id)

/// Commits what is dirty, takes the objects into the mirror and pushes the
/// branch to the upstream. Can be repeated after a crash at any step.
struct save_checkin {
  project_record project;
  session_record session;
  caller by;
  std::string message;
};
GREENROOM_INSPECT(save_checkin, x.project, x.session, x.by, x.message)

struct saved_checkin {
  std::string commit;
};
GREENROOM_INSPECT(saved_checkin, x.commit)

/// Keeps the work of a session under refs/greenroom/rescue/<sid>/.
struct save_rescue {
  project_record project;
  session_record session;
};
GREENROOM_INSPECT(save_rescue, x.project, x.session)

struct saved_rescue {
  std::vector<std::string> refs;
};
GREENROOM_INSPECT(saved_rescue, x.refs)

struct ask_checkout {
  project_record project;
  session_record session;
  ask_git what;
};
GREENROOM_INSPECT(ask_checkout, x.project, x.session, x.what)

/// Where a session's branch stands in its checkout.
struct poll_branch {
  project_record project;
  session_record session;
};
GREENROOM_INSPECT(poll_branch, x.project, x.session)

struct checkout_tip {
  std::string commit; // empty: it has none
  bool checked_out = false;
};
GREENROOM_INSPECT(checkout_tip, x.commit, x.checked_out)

/// The upstream's target branch as it is now, and whether it has the commit
/// already.
struct find_target {
  project_record project;
  std::string target;
  std::string commit;
};
GREENROOM_INSPECT(find_target, x.project, x.target, x.commit)

struct found_target {
  std::string tip; // empty: there is no such branch
  bool has_commit = false;
};
GREENROOM_INSPECT(found_target, x.tip, x.has_commit)

/// Merges the pinned commit into the target where it stands at `base`:
/// fast-forward, or a merge commit made in memory; pushed with a lease.
struct merge_review {
  project_record project;
  review_record review;
  caller by;
};
GREENROOM_INSPECT(merge_review, x.project, x.review, x.by)

struct merge_result {
  review_status status = review_status::merged; // merged, conflict or stale
  std::string commit;                           // the target's, once merged
  std::vector<std::string> files;               // in conflict
};
GREENROOM_INSPECT(merge_result, x.status, x.commit, x.files)

/// Answered with a unified diff of two commits of the mirror.
struct diff_commits {
  project_record project;
  std::string from;
  std::string to;
};
GREENROOM_INSPECT(diff_commits, x.project, x.from, x.to)

/// A clean checkout of a review's commit below its own directory.
struct make_review_checkout {
  project_record project;
  review_record review;
};
GREENROOM_INSPECT(make_review_checkout, x.project, x.review)

/// Removes all that a session or review left on this node's disk.
struct remove_session_files {
  std::string session_id;
};
GREENROOM_INSPECT(remove_session_files, x.session_id)

/// Removes a session's checkout and sockets; timeline and logs stay.
struct remove_checkout {
  std::string session_id;
};
GREENROOM_INSPECT(remove_checkout, x.session_id)

// -- to the log reader --------------------------------------------------------

struct read_session_events {
  std::string session_id;
  read_events what;
};
GREENROOM_INSPECT(read_session_events, x.session_id, x.what)

struct read_session_timeline {
  std::string session_id;
  read_timeline what;
};
GREENROOM_INSPECT(read_session_timeline, x.session_id, x.what)

// -- to the edge --------------------------------------------------------------

/// Streams that were opened with this key end now.
struct key_revoked {
  std::string key_id;
};
GREENROOM_INSPECT(key_revoked, x.key_id)

/// Transfers by git that this session's token opened end now.
struct token_dead {
  std::string session_id;
};
GREENROOM_INSPECT(token_dead, x.session_id)

} // namespace greenroom
