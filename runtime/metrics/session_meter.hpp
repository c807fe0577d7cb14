// What a session takes of its node: processors, memory, processes and disk.
//
// Processes are those below the session's runner. Memory and time are the
// control groups' numbers where the session has groups, which also know what
// has ended; else the sum of the processes. What lies on disk is walked
// through, for a bounded time, of one session at a time, and not again within
// disk_age; who asks meanwhile hears what was seen last, as not complete.
//
// One for all sessions, owned by the composition root; thread-safe. Blocks for
// as long as the walk takes.
#pragma once

#include "messages/time.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace greenroom {

struct disk_usage {
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
  bool complete = true; // false: there is more
};

struct session_usage {
  unix_ms measured_at = 0;
  std::uint64_t processes = 0;
  std::uint64_t cpu_ms = 0;
  std::uint64_t memory = 0; // bytes
  disk_usage disk;
};

class session_meter {
public:
  static constexpr std::chrono::seconds disk_age{10};
  static constexpr std::chrono::seconds walk_time{2};
  static constexpr std::chrono::minutes kept_for{10};

  struct sources {
    std::filesystem::path data_dir;
    /// The process of a session's runner, where one is connected.
    std::function<std::optional<pid_t>(const std::string& session_id)> runner;
    /// The directories of a session's control groups; none: it has none.
    std::function<std::vector<std::string>(const std::string& session_id)>
      groups;
  };

  explicit session_meter(sources from) : from_(std::move(from)) {}

  /// Of a session that does not run anything only the disk is not 0.
  session_usage measure(const std::string& session_id);

private:
  using clock = std::chrono::steady_clock;

  struct measured {
    clock::time_point at{}; // of the walk; never yet
    disk_usage disk;
  };

  disk_usage disk_of(const std::string& session_id);

  sources from_;
  std::mutex mutex_;
  std::unordered_map<std::string, measured> disks_; // under mutex_
  bool walking_ = false;                            // likewise
};

} // namespace greenroom
