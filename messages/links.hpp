// Messages to the links of a node, and their interface.
//
// One per node of a cluster: knows the actors of the nodes that it is linked
// with (runtime/peer/mesh.hpp makes the links). A node that is not linked with
// is not reachable, which does not mean that it has failed.
#pragma once

#include "messages/cluster.hpp"
#include "messages/directory.hpp"
#include "messages/keys.hpp"

#include <caf/typed_actor.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace greenroom {

/// Another node has changed the keys: they are read from the store again, and
/// the one that it has revoked is dead when the answer comes, whatever the
/// store says.
struct share_keys {
  std::string revoked; // a key's id; empty: none
};
GREENROOM_INSPECT(share_keys, x.revoked)

using shared_registry_actor = key_registry_actor::extend<
  // Another node has changed the keys.
  caf::replies_to<share_keys>::with<done>>;

/// From the links of one node to those of another, once a link is up: who asks.
/// Answered alike. Refused where it is not the node that the link is with.
struct greet_node {
  std::string node;
  std::string incarnation; // of its process
  directory_actor directory;
  shared_registry_actor registry;
};
GREENROOM_INSPECT(greet_node, x.node, x.incarnation, x.directory, x.registry)

/// Answered with the node's actors. Refused with unavailable where the node is
/// not reachable, with a sentence that names it.
struct find_node {
  std::string node;
};
GREENROOM_INSPECT(find_node, x.node)

struct linked_node {
  std::string node;
  std::string incarnation; // of its process
  directory_actor directory;
  shared_registry_actor registry;
};
GREENROOM_INSPECT(linked_node, x.node, x.incarnation, x.directory, x.registry)

/// Answered with all that are reachable.
struct find_nodes {};
GREENROOM_INSPECT(find_nodes)

struct linked_nodes {
  std::vector<linked_node> nodes; // by name
};
GREENROOM_INSPECT(linked_nodes, x.nodes)

struct list_links {};
GREENROOM_INSPECT(list_links)

struct link_state {
  std::string node;
  std::string incarnation; // empty: it was not linked with yet
  bool reachable = false;
  std::string trouble; // why it is not, where that is known
};
GREENROOM_INSPECT(link_state, x.node, x.incarnation, x.reachable, x.trouble)

struct link_list {
  std::vector<link_state> links; // by name, without this node
};
GREENROOM_INSPECT(link_list, x.links)

/// As a watcher of nodes it is told with whom to be linked.
using links_actor = node_watcher_actor::extend<
  // The actors of another node.
  caf::replies_to<find_node>::with<linked_node>,
  // The actors of all that are reachable.
  caf::replies_to<find_nodes>::with<linked_nodes>,
  // How it stands with each.
  caf::replies_to<list_links>::with<link_list>,
  // Another node's links introduce themselves.
  caf::replies_to<greet_node>::with<greet_node>>;

// -- from the thread of the links ---------------------------------------------

struct link_up {
  std::uint64_t number = 0;
  std::string node;
  std::string incarnation;
  bool dialed = false; // by this node
};
GREENROOM_INSPECT(link_up, x.number, x.node, x.incarnation, x.dialed)

struct link_down {
  std::uint64_t number = 0;
  std::string node;
  std::string why;
};
GREENROOM_INSPECT(link_down, x.number, x.node, x.why)

struct link_trouble {
  std::string node;
  std::string why;
};
GREENROOM_INSPECT(link_trouble, x.node, x.why)

using links_core = links_actor::extend<
  // There are bytes to and from a node.
  caf::reacts_to<link_up>,
  // There are none any more.
  caf::reacts_to<link_down>,
  // A node cannot be linked with.
  caf::reacts_to<link_trouble>>;

} // namespace greenroom
