// Requests of the API that only the owner of a session can answer, since what
// they ask for lies in files and sockets of its node: output, terminals, ports.
// All others are answered by any node, by messages to the owner's actors.
#pragma once

#include "http/edge/exchange.hpp"
#include "http/edge/peers.hpp"

#include <memory>

namespace greenroom::http {

/// Takes the exchange where another node may have to answer it: passes it on,
/// or dispatches it after all. False: it is not of that kind, or its key is not
/// known here.
bool forward_to_owner(const exchange_ptr& ex,
                      const std::shared_ptr<const peers>& all);

} // namespace greenroom::http
