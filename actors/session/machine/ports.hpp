// What watchers are told of the ports that a session listens on.
#pragma once

#include "messages/events.hpp"
#include "messages/ports.hpp"

#include <cstdint>
#include <vector>

namespace greenroom::session {

struct port_event {
  event_kind kind = event_kind::port_opened; // or closed
  listening_port port;
};

/// What has closed and what has opened, in this order. One that another
/// program listens on now has done both.
std::vector<port_event> port_events(const std::vector<listening_port>& before,
                                    const std::vector<listening_port>& after);

} // namespace greenroom::session
