// A change of which the store has not said whether it is made: it was lost
// while it committed. The same change is asked for again, less and less often,
// until the store says how it stands.
//
// Without I/O. Kept by who asks, for as long as it is in doubt; /readyz warns
// until then.
#pragma once

#include "actors/base/overdue_requests.hpp"
#include "messages/errors.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

namespace greenroom {

/// Whether an error of the store is its last word on a change. A store that
/// cannot be reached, is full or has too much to do has changed nothing this
/// time; where the change may have been made before, that says nothing of it.
inline bool is_last_word(errc code, bool may_be_made) noexcept {
  const auto nothing_done =
    code == errc::unavailable || code == errc::overloaded;
  return code != errc::timeout && !(may_be_made && nothing_done);
}

class change_in_doubt {
public:
  static constexpr std::chrono::milliseconds first_pause{250};
  static constexpr std::chrono::milliseconds longest_pause{30'000};

  explicit change_in_doubt(std::shared_ptr<overdue_requests> shown)
    : shown_(std::move(shown)) {
    shown_->add_doubts(1);
  }
  change_in_doubt(const change_in_doubt&) = delete;
  change_in_doubt& operator=(const change_in_doubt&) = delete;
  ~change_in_doubt() {
    shown_->add_doubts(-1);
  }

  /// How long to wait before it is asked for again: each time twice as long.
  std::chrono::milliseconds next_pause() noexcept {
    return std::exchange(pause_, std::min(pause_ * 2, longest_pause));
  }

private:
  const std::shared_ptr<overdue_requests> shown_;
  std::chrono::milliseconds pause_ = first_pause;
};

} // namespace greenroom
