// The links of a node: the actors' side of runtime/peer.
//
//   the mesh says up ──→ BASP has the bytes ──→ greeted: reachable
//         ↑                                        │ the mesh says down
//         └── released: its proxies are gone ←─────┘
//
// For each link that comes up it has CAF's middleman talk over it and exchanges
// greetings with the links of the other node; from then on that node's actors
// can be asked for. When a link goes down all handles of that node are dead;
// there is no new link before CAF has let them all go. Nothing passes through
// this actor but greetings.
#pragma once

#include "messages/moving.hpp"
#include "runtime/peer/mesh.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <map>
#include <memory>
#include <string>

namespace greenroom {

/// How long the other node may take to be reached by actors, once it is linked
/// with.
inline constexpr std::chrono::seconds greeting_timeout{5};

struct links_options {
  std::string node;
  std::string incarnation;
  directory_actor directory;      // what other nodes are given
  shared_registry_actor registry; // and this
  cluster_member_actor member;    // told of changes; may be null
  std::shared_ptr<peer::mesh> mesh;
};

struct links_state {
  static inline const char* name = "links";

  struct link {
    std::uint64_t number = 0; // of the newest, 0: none yet
    std::string incarnation;
    bool is_up = false;         // there are bytes
    caf::strong_actor_ptr door; // the other's links; null: not greeted
    caf::actor_addr watched;    // the same, until it is down
    directory_actor directory;  // null: not reachable
    shared_registry_actor registry;
    std::string trouble;
  };

  links_options options;
  caf::actor broker;
  std::map<std::string, link> links; // by node
};

full_links_actor::behavior_type
links(full_links_actor::stateful_pointer<links_state> self,
      links_options options);

/// What the mesh of the node `own` is started with: it tells `whom`, for
/// as long as that lives. `serve` is called on the mesh's thread, see
/// mesh_listener.
peer::mesh_listener tell_links(
  const links_core& whom, const std::string& own,
  std::function<unique_fd(const std::string& node, const std::string& service)>
    serve);

} // namespace greenroom
