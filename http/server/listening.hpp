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

} // namespace greenroom::http
