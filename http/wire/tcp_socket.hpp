// A connected descriptor as Asio's socket, for what Asio or Beast drive
// themselves.
#pragma once

#include "http/base/asio.hpp"
#include "runtime/base/fd.hpp"

#include <boost/asio/ip/tcp.hpp>

namespace greenroom::http::wire {

/// Takes the descriptor. Throws boost::system::system_error.
asio::ip::tcp::socket tcp_socket(asio::io_context& io, unique_fd fd);

} // namespace greenroom::http::wire
