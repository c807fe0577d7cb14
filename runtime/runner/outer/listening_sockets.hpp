// The listening TCP sockets of a network, from the kernel's tables.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::runner {

struct listening_socket {
  std::uint16_t port = 0;
  std::string address; // as inet_ntop prints it
  std::uint64_t inode = 0;
  friend bool operator==(const listening_socket&,
                         const listening_socket&) = default;
};

/// What a line of /proc/net/tcp or tcp6 says; nothing where it is not about a
/// listening socket, or makes no sense.
std::optional<listening_socket> parse_listening(std::string_view line);

/// What changes, but for a coincidence, when a socket begins or ceases to
/// listen: how many TCP sockets the process's network has. Some 20 us, where
/// reading the tables walks a hash of all the machine's connections: 3 ms with
/// 24 GB of memory.
std::string socket_counts(pid_t member);

/// What changes when a connection begins or ends in the process's network: one
/// that ends as a socket begins to listen leaves the counts above as they are.
/// Empty where it cannot be told.
std::string connection_counts(pid_t member);

/// Those of the network that the process is in; none where it is gone, or 0.
std::vector<listening_socket> listening_sockets(pid_t member);

} // namespace greenroom::runner
