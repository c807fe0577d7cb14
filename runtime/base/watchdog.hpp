// Does something when a piece of work takes too long.
//
// For work that cannot be called back, like the end of a process whose threads
// are inside of somebody else's system calls. Made before the work, destroyed
// after it, by one thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace greenroom {

class watchdog {
public:
  /// Calls `late` once, on a thread of its own, if this lives longer than
  /// `bound`.
  watchdog(std::chrono::milliseconds bound, std::function<void()> late);
  watchdog(const watchdog&) = delete;
  watchdog& operator=(const watchdog&) = delete;
  ~watchdog();

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool in_time_ = false;
  std::thread thread_;
};

} // namespace greenroom
