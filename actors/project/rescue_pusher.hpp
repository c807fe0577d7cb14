// Pushes the rescue refs of one project's sessions that the upstream could not
// take when they ended.
//
// Part of the project's actor. Looks once when that starts, since an earlier
// node may have left some, and whenever a session says that it did; then with
// pauses that double up to an hour while any is left. Each session is told once
// the upstream has its refs.
#pragma once

#include "actors/project/review_queue.hpp"

namespace greenroom {

class rescue_pusher {
public:
  using pointer = review_queue::pointer;

  explicit rescue_pusher(pointer self) : self_(self) {}
  rescue_pusher(const rescue_pusher&) = delete;
  rescue_pusher& operator=(const rescue_pusher&) = delete;

  /// There may be some.
  void wake();

  /// The pause is over.
  void look();

private:
  void arm();
  void pushed(pushed_rescues result);
  void tell(const pushed_rescue& what);
  void forget(const std::string& session_id);

  pointer self_;
  std::chrono::seconds pause_{0}; // 0: the first one
  bool armed_ = false;            // or it is looking
  bool again_ = false;            // meanwhile there may be more
};

} // namespace greenroom
