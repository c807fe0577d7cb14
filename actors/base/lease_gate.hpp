// Until when this node may tell clients that something is so.
//
// The member moves it with every renewal; whoever is about to acknowledge looks
// at the clock again, since a process that stood still gets no tick before it
// goes on. Thread-safe; outlives all who look.
#pragma once

#include "messages/time.hpp"

#include <atomic>
#include <ctime>

namespace greenroom {

/// Milliseconds of a clock that only goes forward, also while the machine
/// sleeps: others do not wait for it then.
inline millis steady_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<millis>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

class lease_gate {
public:
  bool is_open() const noexcept {
    return steady_ms() < open_until_;
  }
  void open_until(millis when) noexcept {
    open_until_ = when;
  }

private:
  std::atomic<millis> open_until_{0};
};

} // namespace greenroom
