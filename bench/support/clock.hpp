// How long something takes.
#pragma once

#include <chrono>

namespace greenroom::bench {

template <class F>
double seconds_of(F&& f) {
  auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
    .count();
}

template <class F>
double milliseconds_of(F&& f) {
  return seconds_of(f) * 1e3;
}

} // namespace greenroom::bench
