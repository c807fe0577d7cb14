// How many refusals of what code in a session sends to its origin get into the
// audit: it can have thousands in a second, and each would be a write to the
// store. What succeeds is not limited: it has changed something.
//
// Not thread-safe. Holds the sessions of one second only.
#pragma once

#include "messages/time.hpp"

#include <map>
#include <string>

namespace greenroom::http::git_http {

class refusal_limit {
public:
  static constexpr unsigned most_of_session = 5; // in a second

  /// Whether one more refusal of the session's is to be audited.
  bool admits(const std::string& session_id, unix_ms now) {
    if (auto second = now / 1000; second != second_) {
      second_ = second;
      refused_.clear();
    }
    return ++refused_[session_id] <= most_of_session;
  }

private:
  unix_ms second_ = 0; // in which they are counted
  std::map<std::string, unsigned> refused_;
};

} // namespace greenroom::http::git_http
