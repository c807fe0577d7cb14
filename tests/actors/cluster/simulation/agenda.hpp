// What is to happen in a simulated world, by the world's time: the database's
// clock, from which those of the machines differ.
#pragma once

#include "messages/time.hpp"

#include <cstdint>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

namespace greenroom::simulation {

class agenda {
public:
  using task = std::function<void()>;

  millis now() const noexcept {
    return now_;
  }

  void in(millis pause, task what) {
    entries_.push({now_ + pause, ++last_, std::move(what)});
  }

  /// Time goes on to `when`; what is due by then happens, each at its time.
  void advance(millis when) {
    while (!entries_.empty() && entries_.top().at <= when) {
      auto what = std::move(const_cast<entry&>(entries_.top()).what);
      now_ = entries_.top().at;
      entries_.pop();
      what();
    }
    now_ = when;
  }

  void clear() {
    entries_ = {};
  }

private:
  struct entry {
    millis at = 0;
    std::uint64_t number = 0;
    task what;
    bool operator<(const entry& other) const noexcept {
      return std::pair{at, number} > std::pair{other.at, other.number};
    }
  };
  millis now_ = 0;
  std::uint64_t last_ = 0;
  std::priority_queue<entry> entries_;
};

} // namespace greenroom::simulation
