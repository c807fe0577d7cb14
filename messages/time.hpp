// Points in time and lengths of time as they travel between actors.
//
// Both are whole milliseconds in a plain integer, so that they serialise and
// compare without ceremony. A point counts from the Unix epoch, UTC; 0 means
// "not yet" or "never", as the field says.
#pragma once

#include <chrono>
#include <cstdint>

namespace greenroom {

using unix_ms = std::int64_t;
using millis = std::int64_t;

inline unix_ms now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch())
    .count();
}

} // namespace greenroom
