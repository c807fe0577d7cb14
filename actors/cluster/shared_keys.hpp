// The key registry of a node in a cluster: what it changes is so on all nodes
// when it answers.
//
// It stands before the node's own registry, with the same interface. After a
// key was made or revoked it tells the registries of all nodes that are
// reachable, and waits for them, a few seconds at most. One that cannot be
// reached reads the keys when it is linked with again.
#pragma once

#include "messages/links.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <chrono>

namespace greenroom {

/// How long another node may take to let go of a key.
inline constexpr std::chrono::seconds share_timeout{3};

struct shared_keys_state {
  static inline const char* name = "shared-keys";
  // Not an aggregate: see findings/caf-state-from-actor-address.sh.
  shared_keys_state() {}
  shared_registry_actor own;
  links_actor links;
};

key_registry_actor::behavior_type
shared_keys(key_registry_actor::stateful_pointer<shared_keys_state> self,
            shared_registry_actor own, links_actor links);

} // namespace greenroom
