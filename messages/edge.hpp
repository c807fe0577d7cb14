// Messages to the HTTP side, and its interfaces.
//
// These actors live on the event loops of HTTP threads.
#pragma once

#include "messages/events.hpp"
#include "messages/inspect.hpp"

#include <caf/typed_actor.hpp>

#include <string>

namespace greenroom {

/// Streams that were opened with this key end now.
struct key_revoked {
  std::string key_id;
};
GREENROOM_INSPECT(key_revoked, x.key_id)

/// Transfers by git that this session's token opened end now.
struct token_dead {
  std::string session_id;
};
GREENROOM_INSPECT(token_dead, x.session_id)

/// One per HTTP thread.
using edge_actor = caf::typed_actor<
  // Ends the streams that were opened with the key.
  caf::reacts_to<key_revoked>>;

/// One per transfer of git over HTTP.
using git_edge_actor = caf::typed_actor<
  // Ends the transfer.
  caf::reacts_to<token_dead>>;

/// A session's subscriber on an HTTP thread.
using watcher_actor = caf::typed_actor<
  // The events after those that it has. Sent while it is registered as live.
  caf::reacts_to<event_batch>>;

} // namespace greenroom
