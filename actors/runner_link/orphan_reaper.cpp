#include "actors/runner_link/orphan_reaper.hpp"

#include "runtime/exec/orphans.hpp"

#include <spdlog/spdlog.h>

#include <chrono>
#include <exception>
#include <utility>

namespace greenroom {

namespace {

constexpr std::chrono::seconds pause{1};

bool kill(const std::vector<std::string>& ids) {
  try {
    if (auto killed = kill_orphans(ids); killed > 0)
      spdlog::warn("killed {} processes that dead runners left", killed);
    return true;
  } catch (const std::exception& e) {
    spdlog::error("what dead runners left cannot be killed yet: {}", e.what());
    return false;
  }
}

} // namespace

runner_sweeper::runner_sweeper(listener swept)
  : swept_(std::move(swept)), thread_([this] { run(); }) {}

runner_sweeper::~runner_sweeper() {
  {
    std::lock_guard guard{mutex_};
    stopped_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void runner_sweeper::sweep(std::string id) {
  {
    std::lock_guard guard{mutex_};
    to_sweep_.push_back(std::move(id));
  }
  changed_.notify_one();
}

void runner_sweeper::run() {
  std::unique_lock lock{mutex_};
  for (;;) {
    changed_.wait(lock, [this] { return stopped_ || !to_sweep_.empty(); });
    auto ids = std::exchange(to_sweep_, {});
    if (ids.empty())
      return;
    lock.unlock();
    auto done = kill(ids);
    if (done)
      swept_(ids);
    lock.lock();
    if (done)
      continue;
    // Nobody may be told that nothing is left.
    changed_.wait_for(lock, pause, [this] { return stopped_; });
    if (stopped_)
      return;
    to_sweep_.insert(to_sweep_.end(), ids.begin(), ids.end());
  }
}

} // namespace greenroom
