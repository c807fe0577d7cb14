// Messages to the store, and the interfaces of its writer and its reader.
//
// The writer is the one that changes the store: what lies in its mailbox
// becomes one transaction, and each answer comes after that transaction is on
// disk. The reader has a connection of its own, so that a list never waits for
// a commit.
#pragma once

#include "messages/audit.hpp"
#include "messages/cluster.hpp"
#include "messages/events.hpp"
#include "messages/operations.hpp"
#include "messages/project.hpp"

#include <caf/typed_actor.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace greenroom {

// -- sessions -----------------------------------------------------------------

/// Inserts a session in the lowest free slot below `max_active`; refused with
/// session_exists or checkout_exists by the database's own constraints, and
/// with quota_exceeded where its key has `max_of_key` that live, 0: no limit.
/// Its webhooks are inserted with it.
struct insert_session {
  session_record session;
  std::uint32_t max_active = 1;
  std::uint32_t max_of_key = 0;
  std::vector<session_webhook> webhooks = {};
};
GREENROOM_INSPECT(insert_session, x.session, x.max_active, x.max_of_key,
                  x.webhooks)

/// Writes a session's new state, and its events into the outbox; refused with
/// conflict where another actor has taken the session since (a higher epoch).
struct update_session {
  session_record session;
  std::vector<session_event> events;
};
GREENROOM_INSPECT(update_session, x.session, x.events)

/// What a session has announced with its last changes.
struct load_outbox {
  std::string session_id;
};
GREENROOM_INSPECT(load_outbox, x.session_id)

struct outbox {
  std::vector<session_event> events; // oldest first
};
GREENROOM_INSPECT(outbox, x.events)

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

// -- projects, keys, reviews --------------------------------------------------

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

// -- requests with an Idempotency-Key -----------------------------------------

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

// -- interfaces ---------------------------------------------------------------

/// The store writer tells itself to write what has gathered.
struct write_batch {};
GREENROOM_INSPECT(write_batch)

using store_writer_actor = caf::typed_actor<
  // A new session in a free slot of its project.
  caf::replies_to<insert_session>::with<done>,
  // A session's new state, with its events.
  caf::replies_to<update_session>::with<done>,
  // Makes the sender the owner of a session: raises its epoch.
  caf::replies_to<take_session>::with<session_record>,
  // The same for all live sessions of this node.
  caf::replies_to<take_live_sessions>::with<session_rows>,
  // Writes a project's settings.
  caf::replies_to<put_project>::with<project_record>,
  // Removes a project.
  caf::replies_to<drop_project>::with<done>,
  // Writes a key.
  caf::replies_to<put_key>::with<done>,
  // Removes a key.
  caf::replies_to<drop_key>::with<done>,
  // Writes a review.
  caf::replies_to<put_review>::with<done>,
  // A request is about to be served, or was served before.
  caf::replies_to<begin_request>::with<begun_request>,
  // Keeps a request's answer.
  caf::replies_to<finish_request>::with<done>,
  // Removes sessions that ended long ago.
  caf::replies_to<drop_ended>::with<dropped_sessions>,
  // Keeps entries of the audit.
  caf::replies_to<add_audit>::with<done>,
  // Removes old entries of the audit.
  caf::replies_to<drop_audit>::with<done>>;

using store_writer_core = store_writer_actor::extend<
  // Commits what has gathered.
  caf::reacts_to<write_batch>>;

using store_reader_actor = caf::typed_actor<
  // One session.
  caf::replies_to<load_session>::with<session_record>,
  // The events of its last changes.
  caf::replies_to<load_outbox>::with<outbox>,
  // A page of a project's sessions.
  caf::replies_to<query_sessions>::with<session_rows>,
  // A project's live sessions.
  caf::replies_to<live_sessions>::with<session_rows>,
  // One review.
  caf::replies_to<load_review>::with<review_record>,
  // A page of a project's reviews.
  caf::replies_to<query_reviews>::with<review_page>,
  // The nodes at the store.
  caf::replies_to<list_nodes>::with<node_list>,
  // A page of the audit.
  caf::replies_to<query_audit>::with<audit_page>,
  // How many sessions of a node live.
  caf::replies_to<count_sessions>::with<session_counts>,
  // Which sessions there are to watch.
  caf::replies_to<find_live>::with<live_list>>;

} // namespace greenroom
