// The nodes of a cluster by their names, for requests that name one.
#pragma once

#include "http/edge/peers.hpp"

#include <chrono>
#include <string>

namespace greenroom::http {

/// The node of that name, as a request for it is found at another one: empty
/// where it is this one or there is none. Throws refused where it is down.
asio::awaitable<std::string> other_node(http::bridge& bridge, const peers& all,
                                        std::string name,
                                        std::chrono::milliseconds timeout);

} // namespace greenroom::http
