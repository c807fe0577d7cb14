// A request of the API that another node answers: it is sent there as it came,
// and the answer comes back as it is said, in pieces or as a WebSocket.
//
// The client's key goes along, and is checked there again. The answer says in
// X-Greenroom-Node who gave it. Ends like other long answers do: with the
// client, the other node, the key, or the server.
#pragma once

#include "http/edge/exchange.hpp"
#include "http/edge/peers.hpp"

#include <functional>
#include <memory>

namespace greenroom::http {

/// Answers the exchange, whose key is known, also where the node cannot be
/// reached. Where the node says that it is not the owner by that epoch, `moved`
/// is called with the exchange instead; without it, that is the answer. Throws
/// refused.
void forward_request(const exchange_ptr& ex, std::shared_ptr<const peers> all,
                     const whereabouts& owner,
                     std::function<void(const exchange_ptr&)> moved);

} // namespace greenroom::http
