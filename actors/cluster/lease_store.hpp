// The member's connection to the store, on a thread of its own: a store that
// does not answer must not keep the member from looking at the clock.
#pragma once

#include "messages/moving.hpp"
#include "runtime/store/nodes.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <memory>

namespace greenroom {

struct lease_store_state {
  static inline const char* name = "lease-store";
  std::unique_ptr<store::connection> connection;
  store::joining self; // what this node says of itself
};

/// To be spawned detached. Takes the connection over.
full_lease_store_actor::behavior_type
lease_store(full_lease_store_actor::stateful_pointer<lease_store_state> self,
            std::shared_ptr<std::unique_ptr<store::connection>> connection,
            store::joining node);

} // namespace greenroom
