// A session of another node, as this node sees it.
//
// It has a session's interface and hands each message on as it is, so the
// answer goes from the session straight to who asked. Only who watches the
// session watches this instead: it is the one watcher that the node has there,
// and gives each batch to all of its own, and says what it has taken, so that
// no more than a window is ever on its way (messages/relay.hpp): a node that is
// slow costs the session's node no memory. It ends with the session's actor, or
// with the link to its node: what is asked of it then is bounced at once.
//
// What is asked by way of it needs no mark of the owner's epoch: the handle is
// that of one actor, which has the session at one epoch and ends with it.
//
// Made and kept by the node's finder.
#pragma once

#include "messages/session.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include <cstddef>
#include <vector>

namespace greenroom {

struct remote_session_state {
  static inline const char* name = "remote-session";
  // Not an aggregate: see findings/caf-state-from-actor-address.sh.
  remote_session_state() {}
  session_actor session;
  std::vector<watcher_actor> watchers;
  std::size_t joining = 0; // those of whom the session has yet to answer
  bool left = false;       // meanwhile the last of the others has
  std::size_t untold = 0;  // taken, and not said yet; as weight_of counts
};

caf::behavior remote_session(caf::stateful_actor<remote_session_state>* self,
                             session_actor session);

} // namespace greenroom
