// Requests of the API that only the owner of a session, or the node that they
// name, can answer (a route's of_owner), on a node that may be another one of a
// cluster. All others are answered by any node, by messages to the owner's
// actors.
#pragma once

#include "http/edge/exchange.hpp"

namespace greenroom::http {

/// Finds the owner, and has the request handled there: here, or by passing it
/// on. Once it has passed all checks of the route table. Throws refused.
void handle_on_owner(const exchange_ptr& ex);

} // namespace greenroom::http
