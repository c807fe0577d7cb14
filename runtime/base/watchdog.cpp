#include "runtime/base/watchdog.hpp"

namespace greenroom {

watchdog::watchdog(std::chrono::milliseconds bound, std::function<void()> late)
  : thread_([this, bound, late = std::move(late)] {
      std::unique_lock lock{mutex_};
      if (!changed_.wait_for(lock, bound, [this] { return in_time_; }))
        late();
    }) {}

watchdog::~watchdog() {
  {
    std::lock_guard lock{mutex_};
    in_time_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

} // namespace greenroom
