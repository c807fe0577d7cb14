// Outgoing connections: a name is looked up, its addresses are tried in order.
//
// For the thread of the event loop that is given.
#pragma once

#include "http/wire/byte_stream.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

namespace greenroom::http::wire {

/// No connection could be made; says why, without the address.
class unreachable : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// A TCP connection to the first address that answers, within `limit` for all
/// of them. `host` is a name or an address without brackets. Throws
/// unreachable.
asio::awaitable<unique_fd> dial(asio::io_context& io, std::string host,
                                std::string port,
                                std::chrono::milliseconds limit);

/// Whom a client of TLS believes: the system's authorities, or those of a PEM
/// file.
struct tls_trust {
  std::string host; // the certificate's
  std::string ca_file;
};

/// The socket with TLS begun on it, at least version 1.2, within `limit`.
/// Throws unreachable.
asio::awaitable<std::unique_ptr<byte_stream>>
start_tls(asio::io_context& io, unique_fd socket, tls_trust trust,
          std::chrono::milliseconds limit);

} // namespace greenroom::http::wire
