// One process of the program as a server, as its users start it.
//
// Gone when this is, whatever it does. One owner, one thread.
#pragma once

#include "runtime/base/fd.hpp"

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace greenroom::test {

struct server_options {
  std::vector<std::string> set;      // its --set
  std::vector<std::string> env;      // beside this program's, NAME=VALUE
  std::filesystem::path config_file; // its --config
  std::filesystem::path log_file;    // what it prints is appended
  rlim_t open_files = 0;             // its limit of descriptors; 0: ours
};

class server_process {
public:
  /// Starts nothing yet.
  explicit server_process(server_options options);
  server_process(const server_process&) = delete;
  server_process& operator=(const server_process&) = delete;
  ~server_process();

  /// Only where it does not run.
  void launch();
  /// Throws std::runtime_error, with its log, if it does not come up. No other
  /// process that is launched meanwhile may log to the same file.
  void await_serving();
  void kill9();
  /// It stands still between the two.
  void pause();
  void resume();
  /// SIGTERM; returns the exit code.
  int terminate();

  std::uint16_t port() const noexcept {
    return port_;
  }
  pid_t pid() const noexcept {
    return pid_;
  }
  std::string log() const;

private:
  std::optional<std::uint16_t> logged_port() const;
  int wait();

  std::vector<std::string> arguments_;
  std::vector<std::string> env_;
  std::filesystem::path log_file_;
  rlim_t open_files_;
  std::size_t log_before_ = 0; // of the start at hand
  pid_t pid_ = -1;
  unique_fd process_;
  std::uint16_t port_ = 0;
};

} // namespace greenroom::test
