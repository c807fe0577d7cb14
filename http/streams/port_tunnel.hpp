// A WebSocket that is one TCP connection to a port of a session.
//
// Binary messages both ways, whatever protocol they are of; the connection's
// end is the WebSocket's. Bounds: one piece of 64 KiB on its way in each
// direction; while the program in the session does not read, the client is not
// read either.
#pragma once

#include "http/edge/exchange.hpp"
#include "runtime/base/fd.hpp"

#include <memory>

namespace greenroom::http {

/// Answers a request for a WebSocket. Lives until either side ends it, the key
/// is revoked or expires, or the server stops.
void tunnel_to_port(const exchange_ptr& ex, unique_fd socket,
                    std::shared_ptr<void> place);

} // namespace greenroom::http
