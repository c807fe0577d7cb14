// The clocks of this program, as a simulated process sees them.
//
// All that our code and CAF ask the system for the time goes through
// clock_gettime, which this program has a definition of its own of. While a
// face is shown every clock shows that; else the system's.
#pragma once

#include "messages/time.hpp"

namespace greenroom::simulation {

struct clock_face {
  unix_ms wall = 0;  // CLOCK_REALTIME
  millis steady = 0; // CLOCK_MONOTONIC, CLOCK_BOOTTIME
};

/// To this thread, until another one is; null: the system's.
void show(const clock_face* face) noexcept;

} // namespace greenroom::simulation
