// Waiting for what another process does: looked at again and again until it is
// so, with a deadline.
#pragma once

#include <poll.h>

#include <chrono>
#include <stdexcept>
#include <string>

namespace greenroom::test {

/// Long, for a machine that is busy with other things; what is waited for
/// comes within milliseconds.
inline constexpr std::chrono::seconds timeout{60};

/// True as soon as `holds()` is; false if it is not within the deadline.
template <class Predicate>
bool eventually(Predicate holds, std::chrono::milliseconds deadline = timeout) {
  auto end = std::chrono::steady_clock::now() + deadline;
  for (;;) {
    if (holds())
      return true;
    if (std::chrono::steady_clock::now() >= end)
      return false;
    ::poll(nullptr, 0, 5);
  }
}

/// The same for what a test cannot go on without.
template <class Predicate>
void await(const std::string& what, Predicate holds) {
  if (!eventually(holds))
    throw std::runtime_error("waited in vain: " + what);
}

} // namespace greenroom::test
