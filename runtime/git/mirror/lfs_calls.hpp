// What a node does at a time with contents of Git LFS, and what it fetches.
//
// One for all stores of a node, which outlives them: two that want the same
// contents fetch or deliver them one after the other, since the second then
// finds what the first has brought; likewise two that want what the upstream of
// one mirror has. When the node stops, those that serve its
// clients are ended. Thread-safe.
#pragma once

#include "runtime/base/fd.hpp"

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <set>

namespace greenroom::git {

class lfs_calls {
public:
  /// The right to bring something to one place, until it is destroyed.
  class turn {
  public:
    turn(lfs_calls& of, std::filesystem::path place, bool until_stop);
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;
    ~turn();

  private:
    lfs_calls& of_;
    std::filesystem::path place_;
  };

  /// Throws std::system_error.
  lfs_calls();

  /// Blocks until nobody else has the turn at that place. Throws
  /// refused(unavailable) where the node stops and `until_stop` is set.
  turn only(const std::filesystem::path& place, bool until_stop) {
    return {*this, place, until_stop};
  }

  /// For good: those who asked to be ended then are.
  void stop();

  /// Can be read once stop() has been called.
  int stop_fd() const noexcept {
    return stop_fd_.get();
  }

private:
  unique_fd stop_fd_; // an eventfd
  bool stopped_ = false;
  std::mutex mutex_;
  std::condition_variable over_;
  std::set<std::filesystem::path> places_;
};

} // namespace greenroom::git
