// What streams of server-sent events write besides events.
//
// No line of these ends with an empty line: that would make a block without
// data, which some clients hand on as an event. They become the first lines of
// the next event's block, whose own id is its last line.
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

/// Where a stream begins that has sent no event yet, for clients that count an
/// id as soon as they have its line: a connection that breaks before the first
/// event costs them nothing. Others count it with that event, whose id replaces
/// it.
inline std::string opening_id(const std::string& id) {
  return "id: " + id + "\n";
}

/// A comment: clients ignore it, dead connections do not survive it.
inline const slice& heartbeat() {
  static const slice text = whole(":\n");
  return text;
}

} // namespace greenroom::http
