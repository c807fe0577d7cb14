// The ports that a session's commands listen on, and those that are closed.
#pragma once

#include "messages/ports.hpp"
#include "runtime/timeline/timeline_entry.hpp"

#include <vector>

namespace greenroom::journal {

/// Remembers a port that is closed: as many as `max_closed_ports`, oldest
/// first.
void remember_closed(std::vector<listening_port>& closed,
                     const listening_port& port);

/// Takes over what a port.opened or port.closed says. Ports of what has lived
/// on while no actor was there are known by it.
void take_port(const timeline_entry& entry, std::vector<listening_port>& open,
               std::vector<listening_port>& closed);

} // namespace greenroom::journal
