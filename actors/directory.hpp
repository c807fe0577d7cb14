// The directory: from an id to the handle of who answers for it.
//
// It keeps the projects (durable in the store, one actor each) and delegates
// questions for sessions to the node that hosts them, today this one. It never
// stands between the asker and the one who answers.
#pragma once

#include "actors/context.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <map>
#include <vector>

namespace greenroom {

struct directory_state {
  static inline const char* name = "directory";

  struct kept {
    project_record rules;
    project_actor handle;
  };

  directory_state() = default;
  directory_state(const directory_state&) = delete;
  directory_state& operator=(const directory_state&) = delete;

  /// Projects end with their directory.
  ~directory_state();

  context_ptr context;
  session_supervisor_actor supervisor;
  std::map<std::string, kept> projects;
};

directory_actor::behavior_type
directory(directory_actor::stateful_pointer<directory_state> self,
          context_ptr context, session_supervisor_actor supervisor,
          std::vector<project_record> projects);

} // namespace greenroom
