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

class runner_sweeper {
public:
  using listener = std::function<void(const std::vector<std::string>& ids)>;

  /// `swept` is called on the sweeper's thread.
  explicit runner_sweeper(listener swept);
  runner_sweeper(const runner_sweeper&) = delete;
  runner_sweeper& operator=(const runner_sweeper&) = delete;

  /// Does first what is there to do.
  ~runner_sweeper();

  /// Kills what the runner of this id left. All who wait are served by one
  /// look at the host's processes.
  void sweep(std::string id);

private:
  void run();

  listener swept_;
  std::mutex mutex_; // guards what follows
  std::condition_variable changed_;
  std::vector<std::string> to_sweep_;
  bool stopped_ = false;
  std::thread thread_; // the last: it uses all of the above
};

} // namespace greenroom
