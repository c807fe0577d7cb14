// The node root: ends the process, loudly, when a vital component has died.
#pragma once

#include "messages/inspect.hpp"

#include <caf/actor.hpp>
#include <caf/typed_actor.hpp>

namespace greenroom {

/// Names a part that the node cannot do without.
struct monitor_component {
  caf::actor part;
};
GREENROOM_INSPECT(monitor_component, x.part)

using node_root_actor = caf::typed_actor<
  // Watches a component that the node cannot do without.
  caf::reacts_to<monitor_component>>;

} // namespace greenroom
