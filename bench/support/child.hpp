// A program that a benchmark starts and that ends with it.
//
// For main threads only: the program dies with the thread that started it.
// Throws std::system_error, std::runtime_error.
#pragma once

#include "runtime/base/fd.hpp"

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace greenroom::bench {

/// Another program of this build: it lies beside the running one.
std::string program(const std::string& name);

/// Where a program of the system lies. Throws std::runtime_error if it is not
/// installed.
std::string installed(const std::string& name);

class child {
public:
  /// `log`: where its stderr goes; empty: where ours does.
  explicit child(const std::vector<std::string>& argv,
                 const std::filesystem::path& log = {});
  child(const child&) = delete;
  child& operator=(const child&) = delete;
  /// Kills it.
  ~child();

  /// What it prints first, without the line break.
  std::string first_line();

  bool running();
  /// Ends it in order.
  void terminate();

  pid_t pid() const noexcept {
    return pid_;
  }

private:
  pid_t pid_ = -1;
  unique_fd out_;
};

/// Seconds of processor time that a process has used, user and system.
double cpu_seconds(pid_t pid);

} // namespace greenroom::bench
