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

/// Memory that is in use; 0 where the process is gone.
inline std::uint64_t resident_kib(pid_t pid) {
  std::ifstream status{"/proc/" + std::to_string(pid) + "/status"};
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:"))
      return std::stoull(line.substr(6));
  return 0;
}

} // namespace greenroom::test
