// Tells when a flood of connections is over: the allocator keeps what they
// took, and most of it can be given back then.
//
// Of one listener, used on its thread.
#pragma once

#include <algorithm>
#include <cstddef>

namespace greenroom::http {

class flood_watch {
public:
  /// As many connections are a flood.
  static constexpr std::size_t flood = 100;

  /// To be asked about once a second. True where of a flood most have gone
  /// since it last was.
  bool is_over(std::size_t open) noexcept {
    most_ = std::max(most_, open);
    if (most_ < flood || open > most_ / 4)
      return false;
    most_ = open;
    return true;
  }

private:
  std::size_t most_ = 0;
};

} // namespace greenroom::http
