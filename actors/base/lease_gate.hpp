// Until when this node may tell clients that something is so.
//
// The member moves it with every renewal; whoever is about to acknowledge looks
// at the clock again, since a process that stood still gets no tick before it
// goes on. Thread-safe; outlives all who look.
#pragma once

#include "runtime/base/steady_ms.hpp"

#include <atomic>

namespace greenroom {

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
