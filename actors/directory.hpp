// The directory: from an id to the handle of who answers for it.
//
// It keeps the projects of this node (durable in the store, one actor each) and
// delegates questions for their sessions to the supervisor. It never stands
// between the asker and the one who answers. Other nodes' are the finder's
// affair (cluster/finder.hpp).
#pragma once

#include "actors/base/context.hpp"
#include "actors/supervisor.hpp"
#include "messages/left_on_disk.hpp"
#include "messages/placing.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace greenroom {

/// Changes of one project that wait for those before them; beyond that a
/// change is refused with overloaded.
inline constexpr std::size_t max_waiting_changes = 64;

/// The directory of what is on this node. In a cluster it hears what the node
/// owns.
using own_directory_actor = directory_actor::extend<
  // A project is this node's from now on, or has other settings.
  caf::reacts_to<adopt_project>,
  // It is another node's. Answered when what is here of it is told to go.
  caf::replies_to<release_project>::with<done>,
  // Another node has chosen this one for a project.
  caf::replies_to<place_project>::with<project_record>,
  // What lies on this node's disk of an ended session goes, and is measured,
  // whichever node has its project now.
  caf::replies_to<drop_left_work>::with<done>,
  caf::replies_to<measure_left_work>::with<kept_files_list>,
  // Asks the store again for what it has not answered.
  caf::reacts_to<clock_tick>>;

struct directory_state {
  static inline const char* name = "directory";

  struct kept {
    project_record rules;
    project_actor handle;
    std::uint64_t number = 0; // grows with each that is made
  };

  directory_state() = default;
  directory_state(const directory_state&) = delete;
  directory_state& operator=(const directory_state&) = delete;

  /// Projects end with their directory.
  ~directory_state();

  context_ptr context;
  session_supervisor_full supervisor;
  std::map<std::string, kept> projects;
  std::uint64_t last_number = 0;
  // By project, the one that is being made first.
  std::map<std::string, std::deque<std::function<void()>>> changes;
  // Changes of which the store has not said whether they are made: when they
  // are asked for again.
  struct later {
    std::chrono::steady_clock::time_point due;
    std::function<void()> ask;
  };
  std::vector<later> to_ask_again;
};

own_directory_actor::behavior_type
directory(own_directory_actor::stateful_pointer<directory_state> self,
          context_ptr context, session_supervisor_full supervisor,
          std::vector<project_record> projects);

} // namespace greenroom
