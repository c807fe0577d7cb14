// API keys: made, listed and revoked here, and nowhere else.
#pragma once

#include "actors/base/context.hpp"
#include "messages/keys.hpp"
#include "runtime/auth/api_keys.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <vector>

namespace greenroom {

struct key_registry_state {
  static inline const char* name = "key-registry";
  std::vector<key_record> keys; // without the admin key, which is no row
  std::vector<edge_actor> edges;
  store_writer_actor store;
  key_ring* ring = nullptr;
};

/// `ring` is what HTTP threads read; it outlives the actor. `keys` is what the
/// store had at start; the administrator's key is in the ring already.
key_registry_actor::behavior_type
key_registry(key_registry_actor::stateful_pointer<key_registry_state> self,
             store_writer_actor store, key_ring* ring,
             std::vector<key_record> keys);

} // namespace greenroom
