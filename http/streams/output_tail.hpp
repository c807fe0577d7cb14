// Follows the log of one exec for a client: says when to look for more, and
// when there will be no more.
//
// An exec is over when its exit record is there, which its runner writes after
// the last byte. An exec that was lost has none. Who owns a terminal's tail
// hears of that by the session's subscription and says so; one of followed
// output asks every now and then instead. It does without a subscription with
// good reason: for a subscriber the session renders all that is printed as
// events, and what is followed may be far more than any terminal shows.
//
// For one HTTP thread.
#pragma once

#include "http/streams/inotify_watcher.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>

namespace greenroom::http {

struct edge;

class output_tail final : public log_listener,
                          public std::enable_shared_from_this<output_tail> {
public:
  using clock = std::chrono::steady_clock;

  /// Calls its argument with true where the exec is over.
  using question = std::function<void(std::function<void(bool)>)>;

  /// `look` is called when there may be more, `over` once, after which nothing
  /// is called any more. An empty `ask`: who owns it calls `end`.
  output_tail(edge& env, std::filesystem::path dir, question ask,
              std::chrono::milliseconds pause, std::function<void()> look,
              std::function<void()> over);

  /// Comes every second or so, and once at the beginning.
  void tick(clock::time_point now);

  /// The exec is known to be over.
  void end();

  void stop() noexcept;

  void rang() override;

private:
  void read_end();

  edge& env_;
  const std::filesystem::path dir_;
  question ask_;
  const std::chrono::milliseconds pause_; // between two questions
  std::function<void()> look_;            // null: stopped
  std::function<void()> over_;
  std::shared_ptr<void> watching_;
  bool pending_ = false; // a question
  bool reading_ = false; // the exit record
  bool again_ = false;   // what is being read may be old already
  clock::time_point asked_at_;
};

} // namespace greenroom::http
