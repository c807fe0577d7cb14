// Reads of the store for everybody else, on a connection and a thread of its
// own, so that a list never waits for a commit.
#pragma once

#include "messages/moving.hpp"
#include "messages/upkeep.hpp"
#include "messages/webhooks.hpp"
#include "runtime/store/connection.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <memory>
#include <optional>

namespace greenroom {

/// With what the deliverer of webhooks asks of it, what is noted of execs,
/// since when sessions are where they are, which are there only to end, and
/// which have ended.
using full_store_reader =
  store_reader_actor::extend_with<webhook_reader_actor>::
    extend_with<noted_execs_actor>::extend_with<homes_actor>::extend_with<
      lost_reader_actor>::extend_with<ended_reader_actor>;

struct store_reader_state {
  static inline const char* name = "store-reader";
  std::unique_ptr<store::connection> connection;
  std::optional<node_record> alone;
};

/// To be spawned detached. Takes the connection over. `alone`: this node, where
/// it is alone with its store, so that no row there tells of it.
full_store_reader::behavior_type
store_reader(full_store_reader::stateful_pointer<store_reader_state> self,
             std::shared_ptr<std::unique_ptr<store::connection>> connection,
             std::optional<node_record> alone = {});

} // namespace greenroom
