// Whose timelines take no events at the moment, for readyz.
//
// Events of what goes on wait for the disk and are written again each second,
// so what refuses them is known until it takes them. What a client asks for is
// refused at once, and nobody may ask again: that is believed for a moment
// only. A timeline whose file is gone or is none is the session's trouble, not
// the disk's. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace greenroom::journal {

class refusals {
public:
  using clock = std::chrono::steady_clock;

  static constexpr std::chrono::seconds believed_for{5};

  /// `waits`: the events are kept, and will be written again.
  void refused(const std::string& session_id, const std::string& why,
               bool waits);

  /// It has taken events, or nobody writes to it any more.
  void taken(const std::string& session_id);

  /// One sentence, for the first of them; nullopt: all take what comes.
  std::optional<std::string> problem() const;

private:
  struct refusal {
    std::string why;
    std::optional<clock::time_point> until; // nullopt: until it is taken
  };

  mutable std::mutex mutex_; // guards all below
  std::map<std::string, refusal> known_;
  std::atomic<bool> any_ = false; // read without the mutex
};

} // namespace greenroom::journal
