// The clock by which leases are kept.
#pragma once

#include "messages/time.hpp"

#include <ctime>

namespace greenroom {

/// Milliseconds of a clock that only goes forward, also while the machine
/// sleeps: others do not wait for it then. All processes of a machine have it
/// in common, and it begins anew when the machine does.
inline millis steady_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<millis>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

} // namespace greenroom
