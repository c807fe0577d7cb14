// The sockets below the clients of tests.
#pragma once

#include "runtime/base/fd.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace greenroom::test {

/// A connection to 127.0.0.1. Throws std::system_error. `receive_buffer` 0: as
/// the system has it.
unique_fd connect_to(std::uint16_t port, int receive_buffer = 0);

/// A port of 127.0.0.1 on which nobody listens now. Throws std::system_error.
std::uint16_t unused_port();

struct local_listener {
  unique_fd socket;
  std::uint16_t port = 0;
};

/// Listens at 127.0.0.1, at a port that was free. Throws std::system_error.
local_listener listen_locally();

/// Waits until `socket` can be read: true; or before that `stop`: false.
bool readable(const unique_fd& socket, const unique_fd& stop);

/// Sends everything, or throws std::system_error.
void send_all(const unique_fd& socket, std::string_view bytes);

/// Appends up to `at_most` bytes to `out`, waiting for them; false at the end
/// of the connection. Throws std::runtime_error if nothing comes in time.
bool receive(const unique_fd& socket, std::string& out, std::size_t at_most);

} // namespace greenroom::test
