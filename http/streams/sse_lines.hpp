// What streams of server-sent events write besides events.
//
// Neither line ends with an empty line: that would make a block without data,
// which some clients hand on as an event. They become the first lines of the
// next event's block.
#pragma once

#include "http/base/slice.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace greenroom::http {

/// A text that owns itself.
inline slice whole(std::string text) {
  auto owner = std::make_shared<const std::string>(std::move(text));
  std::string_view view = *owner;
  return {std::move(owner), view};
}

/// When clients come back after a lost connection, 1-3 s: not all at once. The
/// time of their arrival is random enough.
inline std::string retry_line() {
  using namespace std::chrono;
  auto now = steady_clock::now().time_since_epoch();
  auto micros = duration_cast<microseconds>(now).count();
  return "retry: " + std::to_string(1000 + micros % 2001) + "\n";
}

/// A comment: clients ignore it, dead connections do not survive it.
inline const slice& heartbeat() {
  static const slice text = whole(":\n");
  return text;
}

} // namespace greenroom::http
