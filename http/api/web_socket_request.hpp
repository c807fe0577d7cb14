// What requests for a WebSocket have in common.
#pragma once

#include "http/edge/exchange.hpp"
#include "http/wire/web_socket.hpp"

namespace greenroom::http::handlers {

/// Answers 426 to a request that asks for no WebSocket where only one is
/// served.
void refuse_plain(const exchange_ptr& ex);

} // namespace greenroom::http::handlers
