// Outgoing connections to addresses that the caller has looked up, and at.
#pragma once

#include "http/wire/dial.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace greenroom::http::wire {

/// A TCP connection to the first of these addresses that answers, and to
/// nothing else, within `limit` for all of them. Throws unreachable.
asio::awaitable<unique_fd> dial_addresses(asio::io_context& io,
                                          std::vector<std::string> addresses,
                                          std::uint16_t port,
                                          std::chrono::milliseconds limit);

} // namespace greenroom::http::wire
