// Follows the log of one exec for a client: says when to look for more, and
// when there will be no more.
//
// An exec is over when its exit record is there, which its runner writes after
// the last byte. An exec that was lost has none, so the follower also asks,
// every now and then. For one HTTP thread.
#pragma once

#include "http/streams/inotify_watcher.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>

namespace greenroom::http {

class output_tail final : public log_listener,
                          public std::enable_shared_from_this<output_tail> {
public:
  using clock = std::chrono::steady_clock;

  /// Calls its argument with true where the exec is over.
  using question = std::function<void(std::function<void(bool)>)>;

  /// `look` is called when there may be more, `over` once, after which nothing
  /// is called any more.
  output_tail(inotify_watcher& logs, std::filesystem::path dir, question ask,
              std::chrono::milliseconds pause, std::function<void()> look,
              std::function<void()> over);

  /// Comes every second or so, and once at the beginning.
  void tick(clock::time_point now);

  void stop() noexcept;

  void rang() override;

private:
  bool is_over() const;
  void end();

  inotify_watcher& logs_;
  const std::filesystem::path dir_;
  question ask_;
  const std::chrono::milliseconds pause_; // between two questions
  std::function<void()> look_;            // null: stopped
  std::function<void()> over_;
  std::shared_ptr<void> watching_;
  bool pending_ = false;
  clock::time_point asked_at_;
};

} // namespace greenroom::http
