// A connected descriptor as Asio's socket, for what Asio or Beast drive
// themselves.
#pragma once

#include "http/base/asio.hpp"
#include "runtime/base/fd.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>

namespace greenroom::http::wire {

/// Has a TCP connection send at once, and break where the peer is not reached
/// for a minute, also while nothing is sent.
void watch_peer(int socket) noexcept;

/// Whether nothing can be sent on a connection any more.
bool is_broken(int socket) noexcept;

/// Takes the descriptor. A peer that TCP does not reach for a minute breaks the
/// connection. Throws boost::system::system_error.
asio::ip::tcp::socket tcp_socket(asio::io_context& io, unique_fd fd);

/// Ends after `limit`: the other side of a race.
asio::awaitable<void> pause(asio::io_context& io,
                            std::chrono::milliseconds limit);

} // namespace greenroom::http::wire
