// How many connections the HTTP library accepts at a time.
//
// Its own counter also counts accepts that are under way, and loses one each
// time that none comes of it (the client has gone, a descriptor is lacking),
// until it accepts nothing any more. This one counts connections only, by their
// objects' lives. For one thread.
#pragma once

#include <restinio/all.hpp>

#include <cstddef>
#include <optional>
#include <utility>

namespace greenroom::http {

class connection_limiter {
public:
  using acceptor =
    restinio::connection_count_limits::impl::acceptor_callback_iface_t;

  // The library makes it with these; it accepts on one socket at a time.
  connection_limiter(
    acceptor* of,
    restinio::connection_count_limits::max_parallel_connections_t limit,
    restinio::connection_count_limits::max_active_accepts_t)
    : of_(of), limit_(limit.value()) {}

  void increment_parallel_connections() noexcept {
    ++connections_;
  }

  void decrement_parallel_connections() noexcept {
    --connections_;
    if (connections_ < limit_ && waiting_)
      of_->schedule_next_accept_attempt(*std::exchange(waiting_, std::nullopt));
  }

  void accept_next(std::size_t socket) noexcept {
    if (connections_ < limit_)
      of_->call_accept_now(socket);
    else
      waiting_ = socket;
  }

private:
  acceptor* of_;
  std::size_t limit_;
  std::size_t connections_ = 0;
  std::optional<std::size_t> waiting_; // the socket, while there is no room
};

} // namespace greenroom::http
