// Stands between a client and a server, and breaks every connection after some
// bytes, as a bad network does.
//
// Owns a thread; what is open is dropped when this goes.
#pragma once

#include "runtime/base/fd.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <random>
#include <thread>

namespace greenroom::test {

class cutting_proxy {
public:
  /// Each connection carries between `least` and `most` bytes, both ways
  /// together, by `seed`.
  cutting_proxy(std::uint16_t server, std::size_t least, std::size_t most,
                unsigned seed);
  cutting_proxy(const cutting_proxy&) = delete;
  cutting_proxy& operator=(const cutting_proxy&) = delete;
  ~cutting_proxy();

  std::uint16_t port() const noexcept {
    return port_;
  }
  /// How many connections it has broken.
  int cuts() const noexcept {
    return cuts_;
  }

private:
  void run();

  const std::uint16_t server_;
  std::mt19937 random_;
  std::uniform_int_distribution<std::size_t> budget_;
  unique_fd listener_;
  unique_fd stop_; // an eventfd
  std::uint16_t port_ = 0;
  std::atomic<int> cuts_ = 0;
  std::thread thread_;
};

} // namespace greenroom::test
