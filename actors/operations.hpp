// Answers what operators ask of a node: its figures, and the audit.
//
// One per node, spawned by the composition root; holds nothing itself. Figures
// of a part that does not answer in time are left out, so that /metrics tells
// something when it matters most.
#pragma once

#include "actors/base/context.hpp"
#include "messages/operations.hpp"
#include "messages/supervisor.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace greenroom {

/// How long a part may take to tell its figures.
inline constexpr std::chrono::seconds figures_timeout{2};

struct operations_state {
  static inline const char* name = "operations";
  // Not an aggregate: see findings/caf-state-from-actor-address.sh.
  operations_state() {}
  context_ptr context;
  session_supervisor_actor supervisor;
};

operations_actor::behavior_type
operations(operations_actor::stateful_pointer<operations_state> self,
           context_ptr context, session_supervisor_actor supervisor);

} // namespace greenroom
