// What requests for a WebSocket have in common.
#pragma once

#include "http/edge/exchange.hpp"

namespace greenroom::http::handlers {

bool is_web_socket(const request& in) noexcept;

/// Answers 426 to a request that asks for no WebSocket where only one is
/// served.
void refuse_plain(const exchange_ptr& ex);

/// A page of another origin may be open in the browser of somebody whose key
/// the browser sends. Throws refused.
void check_origin(const exchange& ex);

} // namespace greenroom::http::handlers
