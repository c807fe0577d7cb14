// Where the server listens.
#pragma once

#include <cstdint>
#include <string>

namespace greenroom::http {

/// An address that a host name stands for. Throws std::runtime_error.
std::string address_of(const std::string& host);

/// Refuses with one sentence where another program listens there already,
/// which SO_REUSEPORT could otherwise hide. Throws std::runtime_error.
void check_free(const std::string& address, const std::string& host,
                std::uint16_t port);

/// The limit of open files that so many connections need: a quarter of it is
/// for everything else.
constexpr std::uint64_t descriptors_for(std::uint64_t connections) noexcept {
  return connections / 3 * 4 + 4;
}

} // namespace greenroom::http
