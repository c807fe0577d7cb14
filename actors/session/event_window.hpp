// How many events are on their way to a watcher that says what it has taken.
// See messages/relay.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

namespace greenroom {

class event_window {
public:
  explicit event_window(std::size_t size) : size_(size) {}

  /// Before a batch that ends with `last` is sent. False: it is not to be sent,
  /// and neither is what follows until taken() says so.
  bool admit(std::uint64_t last, std::size_t weight);

  /// It has all up to `seq`. True: it is to be told how far the session is,
  /// since it was kept from something.
  bool taken(std::uint64_t seq);

  /// What is on its way; at most the size, and one batch.
  std::size_t weight() const noexcept {
    return weight_;
  }

private:
  std::size_t size_;
  std::size_t weight_ = 0;
  bool lacks_something_ = false;
  std::deque<std::pair<std::uint64_t, std::size_t>> under_way_; // last, weight
};

} // namespace greenroom
