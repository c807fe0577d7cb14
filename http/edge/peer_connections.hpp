// Connections that this node's mesh makes to the node's own listeners, each for
// another node: what they say of who has passed a request on is believed, what
// a client says of that is not.
//
// A listener tells them by the address that they come from. Thread-safe.
#pragma once

#include "runtime/base/fd.hpp"

#include <sys/socket.h>

#include <chrono>
#include <mutex>
#include <string>
#include <unordered_map>

namespace greenroom::http {

class peer_connections {
public:
  /// Begins to connect to a listener, and does not wait for it; empty where
  /// that cannot be. The socket is kept open until the listener has found it,
  /// for a while: so long nobody else can come from its address.
  unique_fd connect(const sockaddr& where, socklen_t size);

  /// Whether one that a listener has accepted is such a connection. Each is
  /// found once.
  bool take(int accepted);

private:
  bool expect(const unique_fd& socket);

  struct expected {
    unique_fd held;
    std::chrono::steady_clock::time_point since;
  };

  std::mutex mutex_;
  std::unordered_map<std::string, expected> all_; // by address; under mutex_
};

} // namespace greenroom::http
