// Messages to a project, and its interface.
//
// One actor per project: admits sessions, has reviews run, merges one at a
// time.
#pragma once

#include "messages/git.hpp"
#include "messages/session_webhook.hpp"

#include <caf/typed_actor.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace greenroom {

// -- sessions -----------------------------------------------------------------

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

/// As create_session, with webhooks: they are there with the session, or
/// neither is. A node of an older release does not know this message.
struct create_hooked_session {
  create_session session;
  caller by;                             // goes before the one in `session`
  std::vector<session_webhook> webhooks; // their ids: see session_webhook_id()
};
GREENROOM_INSPECT(create_hooked_session, x.session, x.by, x.webhooks)

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
  std::string created_by;   // a key's id, empty: all
  std::string label;        // NAME or NAME=VALUE that it has, empty: all
};
GREENROOM_INSPECT(list_sessions, x.status, x.feature_slug, x.limit, x.cursor,
                  x.created_by, x.label)

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

/// A session that is over, and whose work could not be saved elsewhere.
struct kept_session {
  session_record session;
  std::uint64_t bytes = 0; // of the node's disk; 0: that is not known
};
GREENROOM_INSPECT(kept_session, x.session, x.bytes)

struct list_kept {};
GREENROOM_INSPECT(list_kept)

struct kept_sessions {
  std::vector<kept_session> sessions; // newest first
};
GREENROOM_INSPECT(kept_sessions, x.sessions)

/// An end has left rescue refs that could not be pushed yet.
struct rescue_waits {};
GREENROOM_INSPECT(rescue_waits)

// -- reviews ------------------------------------------------------------------

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
  // Merge what is approved: by this decision, or without `approve` before.
  bool merge = false;
};
GREENROOM_INSPECT(decide_review, x.review_id, x.by, x.approve, x.comment,
                  x.repeat, x.merge)

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

using project_actor = caf::typed_actor<
  // Makes a session where the project's rules allow one.
  caf::replies_to<create_session>::with<created_session>,
  // Likewise, with webhooks of its own.
  caf::replies_to<create_hooked_session>::with<created_session>,
  // A page of its sessions.
  caf::replies_to<list_sessions>::with<session_page>,
  // What ended sessions have kept on disk.
  caf::replies_to<list_kept>::with<kept_sessions>,
  // Rescue refs are to be pushed when the upstream is back.
  caf::reacts_to<rescue_waits>,
  // A check-in asks for a review, or for a merge without one.
  caf::replies_to<queue_review>::with<review_record>,
  // A page of its reviews.
  caf::replies_to<list_reviews>::with<review_page>,
  // One review.
  caf::replies_to<get_review>::with<review_record>,
  // A person approves or rejects a review.
  caf::replies_to<decide_review>::with<review_record>,
  // What a review would merge.
  caf::replies_to<get_review_diff>::with<git_answer>,
  // A review command has ended.
  caf::reacts_to<review_ran>,
  // Its settings have changed.
  caf::reacts_to<project_changed>>;

} // namespace greenroom
