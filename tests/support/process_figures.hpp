// What the kernel says of a process that a test has started, or of itself.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace greenroom::test {

/// With the one that is open to look.
inline std::size_t open_files(pid_t pid = ::getpid()) {
  std::filesystem::directory_iterator all{"/proc/" + std::to_string(pid)
                                          + "/fd"};
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// A line of /proc/PID/status in KiB; 0 where the process is gone.
inline std::uint64_t status_kib(pid_t pid, const std::string& name) {
  std::ifstream status{"/proc/" + std::to_string(pid) + "/status"};
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(name))
      return std::stoull(line.substr(name.size()));
  return 0;
}

/// Memory that is in use.
inline std::uint64_t resident_kib(pid_t pid) {
  return status_kib(pid, "VmRSS:");
}

/// The most that was in use at a time.
inline std::uint64_t peak_kib(pid_t pid = ::getpid()) {
  return status_kib(pid, "VmHWM:");
}

} // namespace greenroom::test
