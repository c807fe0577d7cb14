// What a session is made with to tell others of it.
#pragma once

#include "messages/inspect.hpp"

#include <string>
#include <vector>

namespace greenroom {

/// A webhook that is made with a session, for the events of that one alone.
struct session_webhook {
  std::string url;
  std::string description;
  std::vector<std::string> types; // empty: all that tell of a session
  std::string secret;             // see runtime/webhooks/signature.hpp
};
GREENROOM_INSPECT(session_webhook, x.url, x.description, x.types, x.secret)

} // namespace greenroom
