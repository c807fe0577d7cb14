// Messages about the nodes of a cluster, and the cluster member's interface.
//
// One member per node, only where there is a cluster: it keeps the node's lease
// in the store, knows the other nodes by their rows there, and says which node
// owns a project. What it says is a hint, good for finding somebody to ask: the
// truth is the row in the store, and whoever is asked refuses what is not his.
#pragma once

#include "messages/directory.hpp"

#include <caf/typed_actor.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom {

enum class node_state : std::uint8_t {
  ready,
  draining, // serves, takes nothing new
  down,     // its lease is over, or it has left
};

std::string_view to_string(node_state state) noexcept;
bool parse(std::string_view text, node_state& out) noexcept;

/// One node as its row in the store says.
struct node_record {
  std::string name;
  std::string incarnation; // of this start of it: 20 of [a-z0-9]
  std::string address;     // HOST:PORT where other nodes reach its link
  std::string http;        // HOST:PORT of its API
  std::string version;     // of the program
  string_map labels;
  node_state state =
    node_state::ready;         // `down` where lease_left is not above 0
  std::int64_t lease_left = 0; // ms by the database's clock, when it was read
  std::uint32_t sessions = 0;  // that live on it
  // Of the machine: how busy its processors have been in the last minute, as
  // it last said. 1: all of them.
  double load = 0;
  // From the node that was asked.
  bool reachable = false;
  friend bool operator==(const node_record&, const node_record&) = default;
};
GREENROOM_INSPECT(node_record, x.name, x.incarnation, x.address, x.http,
                  x.version, x.labels, x.state, x.lease_left, x.sessions,
                  x.load, x.reachable)

/// All nodes that have a row, this one and those that are down too.
struct list_nodes {};
GREENROOM_INSPECT(list_nodes)

struct node_list {
  std::vector<node_record> nodes; // by name
};
GREENROOM_INSPECT(node_list, x.nodes)

/// Whoever can say which nodes there are: the cluster member, or the store's
/// reader on a node that is alone.
using node_lister_actor =
  caf::typed_actor<caf::replies_to<list_nodes>::with<node_list>>;

/// Which node owns a project, or a session's project. Answered from the store;
/// not_found where there is no such project or session.
struct find_owner {
  std::string project_id; // may be empty where there is a session
  std::string session_id; // empty: the project itself is meant
};
GREENROOM_INSPECT(find_owner, x.project_id, x.session_id)

/// The unit of placement is the project: its sessions, its mirror, reviews and
/// merges are where it is.
struct owner_record {
  std::string project_id;
  std::string node;        // empty: nobody yet
  std::string incarnation; // of that node, empty: it has no row
  std::uint64_t epoch = 0; // of the project; grows with each new owner
  friend bool operator==(const owner_record&, const owner_record&) = default;
};
GREENROOM_INSPECT(owner_record, x.project_id, x.node, x.incarnation, x.epoch)

/// A session that was lost with a node, and is to end for that.
struct lost_session {
  std::string session_id;
  std::string lost_node; // the first, where there were more
  friend bool operator==(const lost_session&, const lost_session&) = default;
};
GREENROOM_INSPECT(lost_session, x.session_id, x.lost_node)

/// Told all nodes at once, and again whenever one of them came, went, changed
/// its state or was started anew; not when only a lease was renewed.
using node_watcher_actor = caf::typed_actor<caf::reacts_to<node_list>>;

/// Until the watcher ends.
struct watch_nodes {
  node_watcher_actor watcher;
};
GREENROOM_INSPECT(watch_nodes, x.watcher)

/// The link to another node came up or was lost: a hint that starts a look at
/// its lease, and nothing more.
struct link_changed {
  std::string node;
  std::string incarnation; // as its hello said
  bool up = false;
};
GREENROOM_INSPECT(link_changed, x.node, x.incarnation, x.up)

// -- from the member to its node ----------------------------------------------

/// To the directory, which tells the supervisor: a project is this node's from
/// now on, and so is what lives in it.
struct adopt_project {
  project_record project;
};
GREENROOM_INSPECT(adopt_project, x.project)

/// It is another node's now: whatever runs of it here ends, and nothing more is
/// written of it.
struct release_project {
  std::string project_id;
};
GREENROOM_INSPECT(release_project, x.project_id)

/// To the supervisor: the lease is nearly over, so nothing may run.
struct stop_all_runners {};
GREENROOM_INSPECT(stop_all_runners)

using cluster_member_actor = caf::typed_actor<
  // The nodes, from the store.
  caf::replies_to<list_nodes>::with<node_list>,
  // Who owns a project or session.
  caf::replies_to<find_owner>::with<owner_record>,
  // Somebody wants to know of changes.
  caf::reacts_to<watch_nodes>,
  // A hint from the links.
  caf::reacts_to<link_changed>>;

// -- between the member and its connection to the store -----------------------

/// Joins, or renews the lease of an incarnation.
struct keep_lease {
  std::string incarnation;
  bool joins = false;
  double load = 0; // see node_record
};
GREENROOM_INSPECT(keep_lease, x.incarnation, x.joins, x.load)

struct kept_lease {
  bool is_kept = false; // else it is lost, and there is nothing else
  std::vector<node_record> nodes;
  std::vector<owner_record> owners;
  std::map<std::string, placement_rules> rules; // by project
};
GREENROOM_INSPECT(kept_lease, x.is_kept, x.nodes, x.owners, x.rules)

struct take_projects {
  std::string incarnation;
  std::vector<owner_record> projects;
};
GREENROOM_INSPECT(take_projects, x.incarnation, x.projects)

/// A blocking connection, on a thread of its own.
using lease_store_actor = caf::typed_actor<
  // Refused as conflict where another node has the name.
  caf::replies_to<keep_lease>::with<kept_lease>,
  // Takes what is free by now.
  caf::replies_to<take_projects>::with<done>,
  // The nodes, as they are.
  caf::replies_to<list_nodes>::with<node_list>,
  // Who owns a project or session.
  caf::replies_to<find_owner>::with<owner_record>,
  // A project's settings.
  caf::replies_to<get_project>::with<project_record>>;

} // namespace greenroom
