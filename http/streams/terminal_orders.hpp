// What a client of a terminal has asked for and its session has not taken.
#pragma once

#include "messages/session.hpp"

#include <cstddef>
#include <deque>
#include <utility>
#include <variant>

namespace greenroom::http {

/// In order. Each is as large as what was typed and the memory that it takes
/// besides, so that many small ones come to a bound too.
class terminal_orders {
public:
  using order = std::variant<write_input, resize_exec>;

  /// Of an order beside the bytes in it.
  static constexpr std::size_t own_size = 256;

  /// Answers how large it is. Of sizes that follow each other only the last
  /// counts: where one waits already, this takes its place, and that is 0.
  std::size_t put(order what) {
    const auto* typed = std::get_if<write_input>(&what);
    if (typed == nullptr && !waiting_.empty()
        && std::holds_alternative<resize_exec>(waiting_.back().first)) {
      waiting_.back().first = std::move(what);
      return 0;
    }
    auto size = own_size + (typed != nullptr ? typed->data.view().size() : 0);
    waiting_.emplace_back(std::move(what), size);
    return size;
  }

  bool empty() const noexcept {
    return waiting_.empty();
  }

  /// The first, and how large it is; there must be one.
  std::pair<order, std::size_t> take() {
    auto result = std::move(waiting_.front());
    waiting_.pop_front();
    return result;
  }

private:
  std::deque<std::pair<order, std::size_t>> waiting_;
};

} // namespace greenroom::http
