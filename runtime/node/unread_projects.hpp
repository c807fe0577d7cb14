// Projects that could not be read when the node started: looked at again until
// they can be, and served from then on.
#pragma once

#include "actors/directory.hpp"
#include "runtime/config/config.hpp"
#include "runtime/node/configured_projects.hpp"
#include "runtime/store/connection.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <memory>
#include <vector>

namespace greenroom {

inline constexpr std::chrono::seconds unread_projects_period{2};

using unread_projects_actor = caf::typed_actor<caf::reacts_to<clock_tick>>;

struct unread_projects_parts {
  std::shared_ptr<std::unique_ptr<store::connection>> db; // its own
  own_directory_actor directory;
  project_faults* faults; // outlives the actor
  /// What the configuration file says.
  std::vector<project_record> configured;
  /// Of a node of a cluster, which serves what it owns; else empty.
  std::string node;
};

/// To be spawned detached, for it waits for the store. At rest once all of them
/// are served, or gone.
unread_projects_actor::behavior_type
watch_unread_projects(unread_projects_actor::pointer self,
                      unread_projects_parts parts);

} // namespace greenroom
