// Pushes the rescue refs of one project's sessions that the upstream could not
// take when they ended.
//
// Part of the project's actor. Looks once when that starts, since an earlier
// node may have left some, and whenever a session says that it did; then with
// pauses that double up to five minutes while any is left, and soon after the
// upstream has answered to something else. Each session is told once the
// upstream has its refs.
#pragma once

#include "actors/project/review_queue.hpp"

#include <chrono>
#include <string>

namespace greenroom {

class rescue_pusher {
public:
  using pointer = review_queue::pointer;

  explicit rescue_pusher(pointer self) : self_(self) {}
  rescue_pusher(const rescue_pusher&) = delete;
  rescue_pusher& operator=(const rescue_pusher&) = delete;

  /// There may be some.
  void wake();

  /// The upstream has done something else for the project.
  void upstream_answers();

  /// The pause is over.
  void look();

private:
  void arm();
  void failed(const std::string& why);
  void pushed(pushed_rescues result);
  void tell(const pushed_rescue& what);
  void forget(const std::string& session_id);

  using clock = std::chrono::steady_clock;

  pointer self_;
  unsigned failures_ = 0; // since the upstream was last seen to answer
  std::chrono::milliseconds pause_{0}; // that runs, if it is armed
  clock::time_point due_{};            // its end
  clock::time_point failed_at_{};
  bool armed_ = false; // it waits or looks
  bool looking_ = false;
  bool again_ = false; // meanwhile there may be more
};

} // namespace greenroom
