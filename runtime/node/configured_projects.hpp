// What the configuration file says of projects, when a node starts.
#pragma once

#include "messages/records.hpp"
#include "runtime/config/config.hpp"
#include "runtime/store/connection.hpp"

#include <mutex>
#include <string>
#include <vector>

namespace greenroom {

/// Why a project is not served, or not as the file says: a sentence.
struct project_fault {
  std::string project_id;
  std::string text;
  bool unread = false; // so that it is not served
};

/// What a node serves without since its start. Thread-safe.
class project_faults {
public:
  void set(std::vector<project_fault> faults);

  /// The project is as the file says by now, or not there any more.
  void remove(const std::string& project_id);

  /// The ids of those that could not be read.
  std::vector<std::string> unread() const;

  std::vector<std::string> texts() const;

private:
  mutable std::mutex mutex_;
  std::vector<project_fault> faults_;
};

struct configured_projects {
  /// All that the store has then. What was made through the API stays.
  std::vector<project_record> projects;
  /// Those of the file that another node has, which would not hear of it.
  std::vector<project_record> of_others;
  /// One bad project keeps no node from starting.
  std::vector<project_fault> faults;
};

/// Has the store take over what the file says; what that makes or changes is in
/// the audit. Throws where the store fails.
configured_projects configure_projects(store::connection& db,
                                       const config& settings, bool in_cluster);

} // namespace greenroom
