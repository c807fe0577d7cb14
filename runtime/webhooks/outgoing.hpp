// What a deliverer has sent, and whoever sends it: the seam between the actors,
// which know no HTTP, and the HTTP side, which knows no actors.
#pragma once

#include "runtime/webhooks/schedule.hpp"
#include "runtime/webhooks/url.hpp"

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace greenroom {

struct outgoing_request {
  webhook_url to;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body; // JSON
  // To a receiver that a session was made with: whoever may make one names it.
  bool of_session = false;
};

struct outgoing_result {
  attempt_outcome outcome;
  millis took = 0;
};

/// Sends a POST. Any thread, never blocks; `done` is called once, on another
/// thread, unless the node stops before.
using outgoing_post = std::function<void(
  outgoing_request, std::function<void(outgoing_result)> done)>;

} // namespace greenroom
