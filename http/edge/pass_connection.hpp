// Hands a client's connection to another node, with the request at hand and all
// that follow on it.
#pragma once

#include "http/edge/peers.hpp"
#include "http/wire/server_connection.hpp"

#include <boost/asio/awaitable.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace greenroom::http {

/// In the head of such a request: the node that it was passed on by. The owner
/// takes it off, and does not pass it on again.
inline constexpr std::string_view via_header = "X-Greenroom-Via";

/// Whether the request at hand came by another node.
bool is_passed_on(const wire::message_head& head) noexcept;

/// Sends the head to `there`, where nothing has been said yet, and then what
/// either side says, until both are done. The owner of `there` looks at its
/// deadlines. Closes both.
asio::awaitable<void> pass_connection(wire::server_connection& client,
                                      wire::byte_stream& there,
                                      std::string own_node,
                                      wire::byte_stream::timeout each);

} // namespace greenroom::http
