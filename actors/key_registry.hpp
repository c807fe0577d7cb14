// API keys: made, listed and revoked here, and nowhere else.
#pragma once

#include "actors/base/context.hpp"
#include "messages/links.hpp"
#include "runtime/auth/api_keys.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace greenroom {

/// A row that could not be removed is tried again after so long.
inline constexpr std::chrono::seconds revoke_retry{1};

struct key_registry_state {
  static inline const char* name = "key-registry";
  std::vector<key_record> keys; // without the admin key, which is no row
  // Revoked, and dead for all who would use them; their rows are still there,
  // since the store does not take the change.
  std::set<std::string> revoked;
  // How often `keys` has changed by what was done here: a list that was asked
  // for before is not the newest.
  std::uint64_t changes = 0;
  std::vector<edge_actor> edges;
  store_writer_actor store;
  key_ring* ring = nullptr;
  // Reads them from the store that all nodes share; null: this node is alone.
  caf::typed_actor<caf::replies_to<list_keys>::with<key_list>> reader;

  key_registry_state() = default;
  key_registry_state(const key_registry_state&) = delete;
  key_registry_state& operator=(const key_registry_state&) = delete;
  ~key_registry_state();
};

/// `ring` is what HTTP threads read; it outlives the actor. `keys` is what the
/// store had at start; the administrator's key is in the ring already. `read`
/// is what share_keys reads the store with, on a thread of its own; it may
/// throw.
shared_registry_actor::behavior_type
key_registry(shared_registry_actor::stateful_pointer<key_registry_state> self,
             store_writer_actor store, key_ring* ring,
             std::vector<key_record> keys,
             std::function<std::vector<key_record>()> read); // empty: alone

} // namespace greenroom
