// The handlers of the routes of nodes; see handlers.hpp.
#pragma once

#include "http/edge/exchange.hpp"

namespace greenroom::http::handlers {

// nodes.cpp
void drain_node(const exchange_ptr& ex);
void resume_node(const exchange_ptr& ex);

} // namespace greenroom::http::handlers
