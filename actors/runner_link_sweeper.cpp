#include "actors/runner_link_sweeper.hpp"

#include "runtime/processes/leftovers.hpp"

#include <spdlog/spdlog.h>

#include <exception>
#include <utility>

namespace greenroom {

namespace {

void kill(const std::vector<std::string>& ids) {
  try {
    if (auto killed = kill_leftovers(ids); killed > 0)
      spdlog::warn("killed {} processes that dead runners left", killed);
  } catch (const std::exception& e) {
    spdlog::error("what dead runners left cannot be killed: {}", e.what());
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
    kill(ids);
    swept_(ids);
    lock.lock();
  }
}

} // namespace greenroom
