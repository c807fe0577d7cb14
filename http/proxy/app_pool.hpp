// Connections to apps that wait for another request.
//
// For the proxy's thread. Bounds: max_idle in all, max_idle_of_one a port of a
// session, each for idle_time and with the 64 KiB that a body may have taken;
// beyond them connections are closed.
#pragma once

#include "http/wire/client_connection.hpp"

#include <chrono>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace greenroom::http::proxy {

class app_pool {
public:
  using clock = std::chrono::steady_clock;
  using connection_ptr = std::unique_ptr<wire::client_connection>;
  using place = std::pair<std::string, std::uint16_t>; // session and port

  static constexpr std::size_t max_idle = 512;
  static constexpr std::size_t max_idle_of_one = 32;
  /// Less than servers keep one: five seconds in Node.
  static constexpr std::chrono::seconds idle_time{4};

  /// One on which the app has said nothing since, nor hung up. Null: there is
  /// none.
  connection_ptr take(const place& of);
  void put(const place& of, connection_ptr idle);

  /// Closes those that have waited for long.
  void expire(clock::time_point now);
  void clear();

private:
  struct idle_connection {
    connection_ptr connection;
    clock::time_point since;
  };

  // Newest last. A place stays until it expires, for the next connection.
  std::map<place, std::vector<idle_connection>> idle_;
  std::size_t size_ = 0;
};

} // namespace greenroom::http::proxy
