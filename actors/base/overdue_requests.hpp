// How many requests to this node's sessions should have been answered by now.
//
// A request that is never answered is a bug: its client waits in vain. Each
// session watches its own, logs those that are overdue, and counts them here,
// so that `/readyz` can warn. Owned by the node's context; any thread.
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

  /// What `/readyz` says of it; empty where all is well.
  std::vector<std::string> warnings() const {
    auto count = count_.load();
    if (count == 0)
      return {};
    return {std::to_string(count)
            + (count == 1 ? " request to a session has"
                          : " requests to sessions have")
            + " not been answered in time; the log names each"};
  }

private:
  std::atomic<std::int64_t> count_{0};
};

} // namespace greenroom
