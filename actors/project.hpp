// One project: decides who may have a session in it.
#pragma once

#include "actors/context.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace greenroom {

/// Keeps nothing but the project's rules: who holds a branch or a slot is for
/// the database to say, so a crash of this actor loses nothing.
struct project_state {
  static inline const char* name = "project";
  project_record rules;
  context_ptr context;
  session_supervisor_actor supervisor;
};

project_actor::behavior_type
project(project_actor::stateful_pointer<project_state> self,
        project_record rules, context_ptr context,
        session_supervisor_actor supervisor);

} // namespace greenroom
