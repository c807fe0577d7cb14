// What the store is asked by those who look after sessions: who brings them
// back, and who removes what is over. On one node only.
#pragma once

#include "messages/cluster.hpp"
#include "messages/common.hpp"
#include "messages/store.hpp"

#include <caf/typed_actor.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace greenroom {

/// With which epoch a session came to the node that has it.
struct load_home {
  std::string session_id;
};
GREENROOM_INSPECT(load_home, x.session_id)

struct session_home {
  std::uint64_t epoch = 0; // 0: that is not known
};
GREENROOM_INSPECT(session_home, x.epoch)

/// The store's reader, as whoever brings sessions back sees it.
using homes_actor =
  caf::typed_actor<caf::replies_to<load_home>::with<session_home>>;

/// The live sessions of a project that are `node`'s only to end there: a node
/// was lost that had them, and the project asked for that (on_node_loss: stop).
struct find_lost {
  std::string project_id;
  std::string node;
};
GREENROOM_INSPECT(find_lost, x.project_id, x.node)

struct lost_list {
  std::vector<lost_session> sessions;
};
GREENROOM_INSPECT(lost_list, x.sessions)

/// The store's reader, as whoever ends them sees it.
using lost_reader_actor =
  caf::typed_actor<caf::replies_to<find_lost>::with<lost_list>>;

/// Sessions and reviews that have ended, in the order in which they did; from
/// after `ended_at` and `id` on, at most `limit`.
struct list_ended {
  unix_ms ended_at = 0;
  std::string id;
  std::uint32_t limit = 1000;
};
GREENROOM_INSPECT(list_ended, x.ended_at, x.id, x.limit)

struct ended_session {
  std::string project_id;
  std::string id; // of a session or a review
  unix_ms ended_at = 0;
  bool is_review = false;
};
GREENROOM_INSPECT(ended_session, x.project_id, x.id, x.ended_at, x.is_review)

struct ended_list {
  std::vector<ended_session> sessions;
};
GREENROOM_INSPECT(ended_list, x.sessions)

/// The store's reader, as whoever bounds what they keep sees it.
using ended_reader_actor =
  caf::typed_actor<caf::replies_to<list_ended>::with<ended_list>>;

/// Removes sessions of this node that ended before a time, and those of nodes
/// that are gone for as long, and their reviews; answered with the ids, at most
/// `limit`.
struct drop_old {
  unix_ms before = 0;
  std::uint32_t limit = 100;
  std::vector<std::string> except; // they have work on this node's disk
};
GREENROOM_INSPECT(drop_old, x.before, x.limit, x.except)

/// Removes these, as far as they have ended on this node and none of their
/// reviews waits; answered with the ids of what is gone.
struct drop_sessions {
  std::vector<std::string> session_ids;
};
GREENROOM_INSPECT(drop_sessions, x.session_ids)

/// Retention is to remove these sessions before their time, with their files.
struct forget_sessions {
  std::vector<std::string> session_ids;
};
GREENROOM_INSPECT(forget_sessions, x.session_ids)

/// The store's writer, as retention sees it.
using old_rows_actor =
  caf::typed_actor<caf::replies_to<drop_old>::with<dropped_sessions>,
                   caf::replies_to<drop_sessions>::with<dropped_sessions>>;

} // namespace greenroom
