// How often one key or project may do something: so many times in any minute.
//
// Shared by all HTTP threads, for requests that are rare and costly. Keeps a
// time for each that was let in within the last minute.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_map>

namespace greenroom::http {

class request_rate {
public:
  using clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds window{60};

  /// 0: no limit.
  explicit request_rate(std::uint32_t most) : most_(most) {}

  std::uint32_t most() const noexcept {
    return most_;
  }

  /// Lets one in, and counts it: 0. Else the time until the next one would be.
  std::chrono::milliseconds take(const std::string& who,
                                 clock::time_point now = clock::now()) {
    if (most_ == 0)
      return {};
    std::lock_guard guard{mutex_};
    forget(now);
    auto& times = times_[who];
    while (!times.empty() && times.front() + window <= now)
      times.pop_front();
    if (times.size() >= most_)
      return std::chrono::ceil<std::chrono::milliseconds>(times.front() + window
                                                          - now);
    times.push_back(now);
    return {};
  }

  /// Whom it has let in last was refused elsewhere, and does not count.
  void give_back(const std::string& who) {
    std::lock_guard guard{mutex_};
    if (auto found = times_.find(who);
        found != times_.end() && !found->second.empty())
      found->second.pop_back();
  }

private:
  // Once a window, those who have not come for one.
  void forget(clock::time_point now) {
    if (now < forget_at_)
      return;
    forget_at_ = now + window;
    std::erase_if(times_, [&](const auto& item) {
      return item.second.empty() || item.second.back() + window <= now;
    });
  }

  const std::uint32_t most_;
  std::mutex mutex_; // guards what follows
  std::unordered_map<std::string, std::deque<clock::time_point>> times_;
  clock::time_point forget_at_{};
};

/// Of sessions that are created.
struct create_rates {
  request_rate of_key{0};
  request_rate of_project{0};
};

} // namespace greenroom::http
