// The thread of a runner link on which it may block: it kills what dead
// runners left behind.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace greenroom {

class orphan_reaper {
public:
  using listener = std::function<void(const std::vector<std::string>& ids)>;

  /// `reaped` is called on the reaper's thread.
  explicit orphan_reaper(listener reaped);
  orphan_reaper(const orphan_reaper&) = delete;
  orphan_reaper& operator=(const orphan_reaper&) = delete;

  /// Does first what is there to do.
  ~orphan_reaper();

  /// Kills what the runner of this id left. All who wait are served by one
  /// look at the host's processes.
  void reap(std::string id);

private:
  void run();

  listener reaped_;
  std::mutex mutex_; // guards what follows
  std::condition_variable changed_;
  std::vector<std::string> to_reap_;
  bool stopped_ = false;
  std::thread thread_; // the last: it uses all of the above
};

} // namespace greenroom
