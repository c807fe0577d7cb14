// Hands one end of a socket pair to CAF's middleman, which talks its protocol
// (BASP) over it. The other end is ours, so the middleman neither listens nor
// dials, and meets only nodes that have been greeted (runtime/peer).
//
// Needs an actor system into which load_middleman() put one.
#pragma once

#include "runtime/base/fd.hpp"

#include <caf/actor.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/io/fwd.hpp>

#include <cstdint>

namespace greenroom {

/// For a node of a cluster. Others have no middleman.
void load_middleman(caf::actor_system_config& settings);

/// Whom the messages to other nodes pass through.
caf::actor basp_broker(caf::actor_system& system);

/// One connection, in the form that the broker takes. The descriptor is its.
caf::io::scribe_ptr make_scribe(caf::actor_system& system, unique_fd bytes);

/// The name by which all nodes show their links to each other.
inline constexpr std::uint16_t door_port = 1;

} // namespace greenroom
