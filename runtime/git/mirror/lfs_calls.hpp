// What a node does at a time with contents of Git LFS.
//
// One for all stores of a node, which outlives them: two that want the same
// contents fetch or deliver them one after the other, since the second then
// finds what the first has brought. Thread-safe.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <set>

namespace greenroom::git {

class lfs_calls {
public:
  /// The right to bring contents to one place, until it is destroyed.
  class turn {
  public:
    turn(lfs_calls& of, std::filesystem::path place);
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;
    ~turn();

  private:
    lfs_calls& of_;
    std::filesystem::path place_;
  };

  /// Blocks until nobody else has the turn at that place.
  turn only(const std::filesystem::path& place) {
    return {*this, place};
  }

private:
  std::mutex mutex_;
  std::condition_variable over_;
  std::set<std::filesystem::path> places_;
};

} // namespace greenroom::git
