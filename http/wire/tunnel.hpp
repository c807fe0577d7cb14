// Bytes both ways between two connections, whatever they mean.
#pragma once

#include "http/wire/byte_stream.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <string>

namespace greenroom::http::wire {

struct tunnel_end {
  byte_stream& stream;
  std::string first;     // read from it already
  bool* ended = nullptr; // becomes true where it has sent all and that is there
};

/// Passes on what either sends until both have ended or one breaks; where one
/// has ended, the other can still send. A peer has `each` to take 64 KiB. What
/// waits for bytes takes no memory but its own. Closes both.
asio::awaitable<void> run_tunnel(tunnel_end a, tunnel_end b,
                                 byte_stream::timeout each);

} // namespace greenroom::http::wire
