// Where the server listens.
#pragma once

#include "http/base/asio.hpp"

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace greenroom::http {

/// An address that the host name stands for that is set by `key`. Throws
/// std::runtime_error.
std::string address_of(std::string_view key, const std::string& host);

/// Says in one sentence why the address cannot be listened at that is set by
/// `key`.
std::runtime_error listen_error(std::string_view key, const std::string& host,
                                std::uint16_t port, const error_code& why);

/// Refuses with one sentence where another program listens there already,
/// which SO_REUSEPORT could otherwise hide. Throws std::runtime_error.
void check_free(const std::string& address, const std::string& host,
                std::uint16_t port);

/// How many connections there may be of each kind. Those of previews need two
/// descriptors, and so do those of git; what they do not need is the API's. In
/// a cluster they need four, by a pair of sockets and the link on the node that
/// passes them on, by the link and a connection to the own listener on the
/// other.
struct descriptor_budget {
  std::size_t api = 0;
  std::size_t pairs = 0;    // of the API's, with another connection behind them
  std::size_t arriving = 0; // of the API's, that other nodes pass on
  std::size_t previews = 0;
  std::size_t git = 0;
  std::size_t runners = 0; // and inputs of commands
};

/// What so many descriptors are good for: a quarter of them is for all that is
/// no client's, half of that for runners. The API has at most as many as it
/// wants, the others what of their bounds there is room for.
descriptor_budget budget_of(std::uint64_t descriptors, std::size_t wanted,
                            bool clustered) noexcept;

/// The same of as many as this process may have.
descriptor_budget affordable(std::size_t wanted, bool clustered) noexcept;

/// The limit of open files with which the API has as many as it wants.
std::uint64_t descriptors_for(std::size_t wanted, bool clustered) noexcept;

} // namespace greenroom::http
