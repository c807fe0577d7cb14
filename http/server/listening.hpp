// Where the server listens.
#pragma once

#include <asio/ip/address.hpp>
#include <asio/ip/tcp.hpp>
#include <sys/socket.h>

#include <cstdint>
#include <string>

namespace greenroom::http {

/// An address that a host name stands for. Throws std::runtime_error.
std::string address_of(const std::string& host);

/// Refuses with one sentence where another program listens there already,
/// which SO_REUSEPORT could otherwise hide. Throws std::runtime_error.
void check_free(const std::string& address, const std::string& host,
                std::uint16_t port);

inline asio::ip::tcp protocol_of(const asio::ip::address& address) {
  return address.is_v6() ? asio::ip::tcp::v6() : asio::ip::tcp::v4();
}

/// Lets each thread have a listening socket of its own at one port.
template <class Options>
void share_port(Options& of) {
  using reuse_port =
    asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;
  of.set_option(asio::ip::tcp::acceptor::reuse_address{true});
  of.set_option(reuse_port{true});
}

} // namespace greenroom::http
