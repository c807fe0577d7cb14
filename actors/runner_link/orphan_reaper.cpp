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

orphan_reaper::orphan_reaper(listener reaped)
  : reaped_(std::move(reaped)), thread_([this] { run(); }) {}

orphan_reaper::~orphan_reaper() {
  {
    std::lock_guard guard{mutex_};
    stopped_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void orphan_reaper::reap(std::string id) {
  {
    std::lock_guard guard{mutex_};
    to_reap_.push_back(std::move(id));
  }
  changed_.notify_one();
}

void orphan_reaper::run() {
  std::unique_lock lock{mutex_};
  for (;;) {
    changed_.wait(lock, [this] { return stopped_ || !to_reap_.empty(); });
    auto ids = std::exchange(to_reap_, {});
    if (ids.empty())
      return;
    lock.unlock();
    auto done = kill(ids);
    if (done)
      reaped_(ids);
    lock.lock();
    if (done)
      continue;
    // Nobody may be told that nothing is left.
    changed_.wait_for(lock, pause, [this] { return stopped_; });
    if (stopped_)
      return;
    to_reap_.insert(to_reap_.end(), ids.begin(), ids.end());
  }
}

} // namespace greenroom
