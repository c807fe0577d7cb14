// How many requests to this node's sessions should have been answered by now,
// and of how many changes of projects it is not known whether they are made.
//
// A request that is never answered is a bug: its client waits in vain. Each
// session watches its own, logs those that are overdue, and counts them here,
// so that `/readyz` can warn. So does the directory with what the store leaves
// in doubt. Owned by the node's context; any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace greenroom {

class overdue_requests {
public:
  void add(std::int64_t count) noexcept {
    count_ += count;
  }

  void add_doubts(std::int64_t count) noexcept {
    doubts_ += count;
  }

  /// What `/readyz` says of it; empty where all is well.
  std::vector<std::string> warnings() const {
    std::vector<std::string> result;
    if (auto count = count_.load(); count != 0)
      result.push_back(std::to_string(count)
                       + (count == 1 ? " request to a session has"
                                     : " requests to sessions have")
                       + " not been answered in time; the log names each");
    if (auto count = doubts_.load(); count != 0)
      result.push_back(
        "the store does not say whether " + std::to_string(count)
        + (count == 1 ? " change of a project is" : " changes of projects are")
        + " made; the log names each");
    return result;
  }

private:
  std::atomic<std::int64_t> count_{0};
  std::atomic<std::int64_t> doubts_{0};
};

} // namespace greenroom
