// The one source of chance of a simulated world: the same seed, the same
// history.
#pragma once

#include <cstdint>
#include <random>

namespace greenroom::simulation {

class chance {
public:
  explicit chance(std::uint64_t seed) : random_(seed) {}

  std::int64_t between(std::int64_t least, std::int64_t most) {
    return least + static_cast<std::int64_t>(random_() % width(least, most));
  }
  std::size_t below(std::size_t limit) {
    return static_cast<std::size_t>(random_() % limit);
  }
  bool percent(int share) {
    return between(0, 99) < share;
  }
  bool one_in(std::int64_t n) {
    return between(1, n) == 1;
  }

private:
  static std::uint64_t width(std::int64_t least, std::int64_t most) {
    return static_cast<std::uint64_t>(most - least) + 1;
  }
  std::mt19937_64 random_;
};

} // namespace greenroom::simulation
