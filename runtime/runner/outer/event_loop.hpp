// The runner's one loop: waits for descriptors, calls back.
//
// A callback may watch and unwatch any descriptor, its own too. It can be
// called though its descriptor has nothing to say (the number was closed and
// used again within one round), so all descriptors are non-blocking.
#pragma once

#include "runtime/base/fd.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace greenroom::runner {

using steady = std::chrono::steady_clock;

/// Says on stderr why something failed that must not end the runner, and with
/// it all commands; then waits a moment.
void report_failure(const char* why);

class event_loop {
public:
  using callback = std::function<void()>;

  /// Throws std::system_error.
  event_loop();

  /// Calls `ready` whenever `fd` can be read, or has failed. Throws
  /// std::system_error.
  void watch(int fd, callback ready);

  /// Whether to call back when `fd` can be read. An end of file, or a failure,
  /// is called back for in any case.
  void want_read(int fd, bool wanted);

  /// Whether to call back also when `fd` can be written.
  void want_write(int fd, bool wanted);

  /// To be called before a watched descriptor is closed.
  void unwatch(int fd);

  /// Waits for events, or until `deadline`, and calls back for each. One that
  /// throws is reported, and costs the others nothing.
  void run_once(std::optional<steady::time_point> deadline);

private:
  unique_fd epoll_;
  // By descriptor. Shared so that a callback outlives its own removal.
  std::vector<std::shared_ptr<callback>> callbacks_;
};

} // namespace greenroom::runner
