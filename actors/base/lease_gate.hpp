// Until when this node may tell clients that something is so.
//
// The member moves it with every renewal; whoever is about to acknowledge looks
// at the clock again, since a process that stood still gets no tick before it
// goes on. Thread-safe but for open_until(), which is one thread's; outlives
// all who look.
#pragma once

#include "runtime/base/steady_ms.hpp"

#include <atomic>

namespace greenroom {

class lease_gate {
public:
  bool is_open() const noexcept {
    return steady_ms() < open_until_;
  }
  /// True where it is open, and has been all the time since then: whoever has
  /// looked at it then need not ask anew what is this node's.
  bool was_open_since(millis then) const noexcept {
    return is_open() && opened_at_ < then;
  }
  void open_until(millis when) noexcept {
    // A process that stood still finds it shut.
    if (!is_open())
      opened_at_ = steady_ms();
    open_until_ = when;
  }

private:
  std::atomic<millis> opened_at_{0};
  std::atomic<millis> open_until_{0};
};

/// What work is refused with, as unavailable, that was about to begin when the
/// gate was no longer open, or had been shut while it waited.
inline constexpr const char* lost_touch_meanwhile =
  "the node has lost touch with the others while this waited: nothing was done";

} // namespace greenroom
