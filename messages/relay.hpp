// What is on its way from a session to the one watcher that another node has at
// it (actors/cluster/remote_session.hpp).
//
// The link between two nodes keeps what the other has not taken, without a
// bound of its own: so a node that is slow would fill the memory of the one
// whose session prints. Therefore the watcher says what it has taken, and the
// session sends it no more than a window beyond that. What does not fit is not
// sent at all; once there is room, the watcher is told how far the session is,
// and who watches reads what it lacks from the log, at its own pace.
#pragma once

#include "messages/session.hpp"

#include <caf/typed_actor.hpp>

#include <cstddef>
#include <cstdint>

namespace greenroom {

/// At least so much is said to be taken at once, and so much may be on its way;
/// bytes of text and slices. One batch may exceed it.
inline constexpr std::size_t relay_step = std::size_t{256} * 1024;
inline constexpr std::size_t relay_window = std::size_t{1024} * 1024;

/// A watcher has taken all batches up to `seq`. From the first of these on it
/// has a window; one that never says so, of a node of an older version, has
/// none.
struct taken_events {
  watcher_actor watcher;
  std::uint64_t seq = 0;
};
GREENROOM_INSPECT(taken_events, x.watcher, x.seq)

/// A session, as the relay sees it.
using relayed_actor = caf::typed_actor<caf::reacts_to<taken_events>>;

/// What a batch counts.
inline std::size_t weight_of(const event_batch& batch) {
  return sizeof batch + batch.text.view().size()
         + batch.slices.size() * sizeof(event_slice);
}

} // namespace greenroom
