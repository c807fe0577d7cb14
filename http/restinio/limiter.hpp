// How many connections the HTTP library accepts.
//
// Its own counter loses one each time that no connection comes of an accept
// (the client has gone, a descriptor is lacking), until it accepts nothing any
// more. This one counts connections by their objects' lives, and beside them
// the accepts that are under way. For one thread.
#pragma once

#include <restinio/all.hpp>

#include <cstddef>
#include <vector>

namespace greenroom::http {

class connection_limiter {
public:
  using acceptor =
    restinio::connection_count_limits::impl::acceptor_callback_iface_t;

  // The library makes it with these.
  connection_limiter(
    acceptor* of,
    restinio::connection_count_limits::max_parallel_connections_t limit,
    restinio::connection_count_limits::max_active_accepts_t accepts)
    : of_(of), limit_(limit.value()) {
    under_way_.reserve(accepts.value());
    waiting_.reserve(accepts.value());
  }

  void increment_parallel_connections() noexcept {
    ++connections_;
  }

  void decrement_parallel_connections() noexcept {
    --connections_;
    if (waiting_.empty() || !has_room())
      return;
    auto socket = waiting_.back();
    waiting_.pop_back();
    of_->schedule_next_accept_attempt(socket);
  }

  /// The accept that `socket` was for, if any, is over.
  void accept_next(std::size_t socket) noexcept {
    std::erase(under_way_, socket);
    std::erase(waiting_, socket);
    if (has_room()) {
      under_way_.push_back(socket);
      of_->call_accept_now(socket);
    } else {
      waiting_.push_back(socket);
    }
  }

private:
  bool has_room() const noexcept {
    return connections_ + under_way_.size() < limit_;
  }

  acceptor* of_;
  std::size_t limit_;
  std::size_t connections_ = 0;
  // Sockets, of which there are a few: with an accept, and without for lack of
  // room.
  std::vector<std::size_t> under_way_;
  std::vector<std::size_t> waiting_;
};

} // namespace greenroom::http
