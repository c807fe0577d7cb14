// How hard a fuzzer tries: some rounds from a fixed seed in `./dev test`, so
// that what fails once fails again; in `./dev fuzz` as many as fit the time,
// from a seed that is printed and can be given.
#pragma once

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

namespace greenroom::test {

class fuzz_effort {
public:
  explicit fuzz_effort(int rounds) : left_(rounds) {
    const auto* seconds = std::getenv("GREENROOM_FUZZ_SECONDS");
    if (seconds == nullptr)
      return;
    const auto* given = std::getenv("GREENROOM_FUZZ_SEED");
    seed_ = given != nullptr ? static_cast<unsigned>(std::stoul(given))
                             : std::random_device{}();
    std::cerr << "GREENROOM_FUZZ_SEED=" << seed_ << '\n';
    left_ = -1;
    end_ = clock::now() + std::chrono::seconds{std::stol(seconds)};
  }

  unsigned seed() const noexcept {
    return seed_;
  }

  /// True while there is another round.
  bool next() {
    return left_ < 0 ? clock::now() < end_ : left_-- > 0;
  }

private:
  using clock = std::chrono::steady_clock;

  unsigned seed_ = 42;
  int left_;
  clock::time_point end_;
};

} // namespace greenroom::test
