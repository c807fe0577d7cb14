#include "actors/session/event_window.hpp"

namespace greenroom {

bool event_window::admit(std::uint64_t last, std::size_t weight) {
  lacks_something_ = lacks_something_ || weight_ >= size_;
  if (lacks_something_)
    return false;
  under_way_.emplace_back(last, weight);
  weight_ += weight;
  return true;
}

bool event_window::taken(std::uint64_t seq) {
  while (!under_way_.empty() && under_way_.front().first <= seq) {
    weight_ -= under_way_.front().second;
    under_way_.pop_front();
  }
  // Not for each step: what it lacks it reads in one go.
  return weight_ <= size_ / 2 && std::exchange(lacks_something_, false);
}

} // namespace greenroom
