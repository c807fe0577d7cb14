// What the configuration file says of projects, when a node starts.
#pragma once

#include "messages/records.hpp"
#include "runtime/config/config.hpp"
#include "runtime/store/connection.hpp"

#include <string>
#include <vector>

namespace greenroom {

struct configured_projects {
  /// All that the store has then. What was made through the API stays.
  std::vector<project_record> projects;
  /// Those of the file that another node has, which would not hear of it.
  std::vector<project_record> of_others;
  /// Why one is not served, or not as the file says, a sentence each: one bad
  /// project keeps no node from starting.
  std::vector<std::string> faults;
};

/// Has the store take over what the file says; what that makes or changes is in
/// the audit. Throws where the store fails.
configured_projects configure_projects(store::connection& db,
                                       const config& settings, bool in_cluster);

} // namespace greenroom
