// The member's connection to the store, on a thread of its own: a store that
// does not answer must not keep the member from looking at the clock. Whenever
// the lease is renewed, what runs in this node's sessions may run on for
// longer.
#pragma once

#include "messages/moving.hpp"
#include "runtime/runner/protocol/run_lease.hpp"
#include "runtime/store/nodes.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <filesystem>
#include <memory>

namespace greenroom {

struct lease_store_state {
  static inline const char* name = "lease-store";
  std::unique_ptr<store::connection> connection;
  store::joining self; // what this node says of itself
  std::unique_ptr<runner::run_lease_writer> run_lease;
};

/// To be spawned detached. Takes the connection over; the file of the runners'
/// lease lies in `data_dir`.
full_lease_store_actor::behavior_type
lease_store(full_lease_store_actor::stateful_pointer<lease_store_state> self,
            std::shared_ptr<std::unique_ptr<store::connection>> connection,
            store::joining node, const std::filesystem::path& data_dir);

} // namespace greenroom
