// Until when this node may tell clients that something is so.
//
// The member moves it with every renewal; whoever is about to acknowledge looks
// at the clock again, since a process that stood still gets no tick before it
// goes on. Thread-safe; outlives all who look.
#pragma once

#include "messages/time.hpp"

#include <atomic>
#include <chrono>

namespace greenroom {

/// Milliseconds of a clock that only goes forward.
inline millis steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
           std::chrono::steady_clock::now().time_since_epoch())
    .count();
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
