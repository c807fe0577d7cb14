// The pauses between tries: each twice as long as the one before, up to a
// limit.
#pragma once

#include "http/base/asio.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>

namespace greenroom::http::client {

class backoff {
public:
  using milliseconds = std::chrono::milliseconds;

  static constexpr milliseconds first{100};
  static constexpr milliseconds longest{2'000};

  explicit backoff(asio::io_context& io) : timer_(io) {}

  /// Waits for the next pause, or for `least` where that is longer.
  asio::awaitable<void> wait(milliseconds least = milliseconds{0}) {
    timer_.expires_after(std::max(next_, least));
    next_ = std::min(2 * next_, longest);
    co_await timer_.async_wait(asio::use_awaitable);
  }

  /// It worked: the next pause is the first again.
  void reset() noexcept {
    next_ = first;
  }

private:
  asio::steady_timer timer_;
  milliseconds next_ = first;
};

} // namespace greenroom::http::client
