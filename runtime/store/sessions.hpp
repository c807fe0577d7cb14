// Sessions in the store.
//
// The rules of a project hold by the database: one live session a branch, none
// beside another on a branch that git cannot keep beside it (a, a/b), one live
// session a slot, and slots only below the project's limit. Who owns a session
// is a number, its epoch: whoever takes the session raises it, and from then on
// nobody else's writes go in.
#pragma once

#include "messages/events.hpp"
#include "messages/operations.hpp"
#include "messages/records.hpp"
#include "messages/session_webhook.hpp"
#include "runtime/store/connection.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace greenroom {
struct ended_session;
struct list_ended;
} // namespace greenroom

namespace greenroom::store {

enum class insert_result : std::uint8_t {
  ok,
  no_slot,
  branch_taken,
  key_full,
};

/// Adds a new session in the lowest free slot below `max_active`; no_slot goes
/// before branch_taken where both are true, and key_full comes last: the key
/// has made `max_of_key` that live, 0: no limit. Refused: not_found without the
/// project, unavailable where another node than the session's owns it, conflict
/// where the id is in use, bad_request for text with NUL. Its webhooks are
/// added where it is.
insert_result insert_session(connection& c, const session_record& session,
                             std::uint32_t max_active,
                             std::uint32_t max_of_key = 0,
                             const std::vector<session_webhook>& webhooks = {});

/// The ids of the sessions that live and were made by a key, of all projects,
/// newest first.
std::vector<std::string> live_of_key(connection& c, const std::string& key_id);

/// Writes the new state of a session whose version was raised by one. False,
/// with nothing written, where the store has another epoch or has not the
/// version before: somebody else owns the session. Writing the same state again
/// is true: it is there. What it announces goes into the outbox with it.
bool update_session(connection& c, const session_record& session,
                    const std::vector<session_event>& events = {});

/// Takes a session, live or not, for `node`: raises its epoch, and returns it
/// as it is then. nullopt where there is none, or its project is another
/// node's.
std::optional<session_record> take_session(connection& c, const std::string& id,
                                           const std::string& node);

/// Takes all live sessions of `node` at once, oldest first.
std::vector<session_record> take_live_sessions(connection& c,
                                               const std::string& node);

/// Gives all live sessions to `node`, without taking them, for a node that has
/// the store to itself: projects have no owner then.
void own_all_sessions(connection& c, const std::string& node);

std::optional<session_record> find_session(connection& c,
                                           const std::string& id);

/// The epoch with which the session came to the node that has it, be it by
/// being made there: whoever had an epoch below that had it on another node, or
/// before it was on another one. 0: nobody knows.
std::uint64_t home_epoch(connection& c, const std::string& id);

/// The sessions of a project that hold a slot and a branch, newest first.
std::vector<session_record> live_sessions(connection& c,
                                          const std::string& project_id);

/// Which sessions there are to watch, each once.
live_list find_live(connection& c, const greenroom::find_live& what);

/// How many of a node's sessions are in each state in which they live.
session_counts count_live(connection& c, const std::string& node);

struct session_query {
  std::string project_id;
  std::optional<session_status> status; // nullopt: all
  std::string feature_slug;             // empty: all
  std::string created_by;               // empty: all
  std::string label;                    // NAME or NAME=VALUE, empty: all
  std::uint32_t limit = 0;              // 0: all
  std::string cursor;                   // empty: from the newest
};

struct session_list {
  std::vector<session_record> sessions; // newest first
  std::string next_cursor;              // empty: that was all
};

/// A page of a project's sessions. A cursor stays good whatever is added or
/// changed meanwhile; one that is none is refused as bad_request.
session_list list_sessions(connection& c, const session_query& query);

/// The ids of what is gone.
struct dropped {
  std::vector<std::string> sessions;
  std::vector<std::string> reviews;
};

/// Whose sessions go. What others have on their disks only they know: theirs
/// go where they are gone themselves, for as long.
struct drop_rules {
  std::string node;
  std::set<std::string> except; // they have work on that node's disk
};

/// Removes at most `limit` sessions that ended before a time, the longest ended
/// first, and their reviews; a session whose review still waits stays.
dropped drop_ended(connection& c, unix_ms before, std::uint32_t limit,
                   const drop_rules& rules = {});

/// Removes those of these sessions that have ended on this node, as drop_ended
/// does.
dropped drop_sessions(connection& c, const std::vector<std::string>& ids,
                      const std::string& node);

/// What has ended, by when; each session and review as often as it is asked
/// for.
std::vector<ended_session> list_ended(connection& c,
                                      const greenroom::list_ended& what);

} // namespace greenroom::store
