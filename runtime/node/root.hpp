// The node root: watches over the parts that a node cannot do without.
//
// Sessions, projects, workers and watchers have supervisors of their own. The
// parts here hold what nobody could give back to a successor (a store's
// connection, a table of handles), so when one dies the node ends, loudly, and
// is started again by whoever runs it: that path is tested at every start.
#pragma once

#include "messages/node.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <functional>

namespace greenroom {

struct node_root_state {
  static inline const char* name = "node-root";
  // Not an aggregate: see findings/caf-state-from-actor-address.sh.
  node_root_state() {}
  bool told = false; // the process is told to end
};

/// `died` is called once, before the process is told to end.
node_root_actor::behavior_type
node_root(node_root_actor::stateful_pointer<node_root_state> self,
          std::function<void()> died);

} // namespace greenroom
