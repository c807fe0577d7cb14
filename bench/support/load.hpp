// Load on an HTTP server: connections that each send the next request as soon
// as the last one is answered, from one thread.
#pragma once

#include "bench/support/http.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace greenroom::bench {

class http_load {
public:
  /// Every answer to `request` must have the status 200.
  http_load(std::uint16_t port, std::size_t connections, std::string request);

  /// Answers a second. Throws std::runtime_error where one is another.
  double run(std::chrono::milliseconds time);

private:
  struct client {
    unique_fd socket;
    answer_reader reader;
  };

  bool read(client& from);

  std::string request_;
  std::vector<client> clients_;
  unique_fd poll_;
};

} // namespace greenroom::bench
