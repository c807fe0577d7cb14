// The key registry of a node in a cluster: what it changes is so on all nodes
// when it answers.
//
// It stands before the node's own registry, with the same interface. After a
// key was made or revoked it tells the registries of all nodes that are
// reachable, and waits for them, a few seconds at most. One that cannot be
// reached reads the keys when it is linked with again, and each reads them at
// regular times: two nodes may reach the store and not each other.
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
  std::chrono::milliseconds period{0};
};

/// What it also hears, from itself.
using shared_keys_core = key_registry_actor::extend<caf::reacts_to<clock_tick>>;

/// `period` is the time between two looks into the store.
shared_keys_core::behavior_type
shared_keys(shared_keys_core::stateful_pointer<shared_keys_state> self,
            shared_registry_actor own, links_actor links,
            std::chrono::milliseconds period);

} // namespace greenroom
