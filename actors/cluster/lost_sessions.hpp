// Ends the sessions of a project whose node was lost, where the project asks
// for that (on_node_loss: stop): each comes back first, from what was last
// saved of it, so that its work is kept as any session's that is terminated.
//
// Which those are is in the store, since their project was taken over: who
// takes it up next, or again after a crash, goes on with what is left.
#pragma once

#include "messages/directory.hpp"
#include "messages/upkeep.hpp"

#include <caf/fwd.hpp>
#include <caf/typed_actor.hpp>

#include <string>

namespace greenroom {

/// The session supervisor, as far as it is needed here.
using session_finder_actor =
  caf::typed_actor<caf::replies_to<find_session>::with<session_actor>>;

/// Does so by itself, with those of a project that are `node`'s; again and
/// again where somebody cannot answer yet. It tells the log of those that
/// cannot be ended: they live on, and anybody can end them.
void end_lost_sessions(caf::actor_system& system,
                       const session_finder_actor& supervisor,
                       const lost_reader_actor& reader, const find_lost& which);

} // namespace greenroom
