// Connections that this node's mesh makes to the node's own listeners, each for
// another node: what they say of who has passed a request on is believed, what
// a client says of that is not.
//
// A listener tells them by the address that they come from. Thread-safe.
#pragma once

#include "runtime/base/fd.hpp"

#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_map>

namespace greenroom::http {

class peer_connections {
public:
  using clock = std::chrono::steady_clock;

  /// A listener with much to do accepts within that, or has lost its client.
  static constexpr std::chrono::minutes longest_wait{1};

  /// So many may wait for a listener, for each costs a descriptor until then.
  static constexpr std::size_t default_max = 1024;

  explicit peer_connections(std::size_t max = default_max) : max_(max) {}

  /// Begins to connect to a listener, and does not wait for it; empty where
  /// that cannot be, or too many wait. The socket is kept open until the
  /// listener has found it, for a while: so long nobody else can come from its
  /// address.
  unique_fd connect(const sockaddr& where, socklen_t size);

  /// Whether one that a listener has accepted is such a connection. Each is
  /// found once.
  bool take(int accepted);

  /// Lets go of those that no listener has found for too long; to be called now
  /// and then.
  void forget_lost(clock::time_point now);

private:
  bool expect(const unique_fd& socket);

  struct expected {
    unique_fd held;
    clock::time_point since;
  };

  const std::size_t max_;
  std::mutex mutex_;
  std::unordered_map<std::string, expected> all_; // by address; under mutex_
};

} // namespace greenroom::http
