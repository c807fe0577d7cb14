#include "runtime/disk/fsync_queue.hpp"

#include "runtime/base/fd.hpp"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace greenroom {

namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds period{500};

void sync_file(const fs::path& path) {
  unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (!file)
    return; // gone with its session
  if (::fdatasync(file.get()) != 0)
    spdlog::error("{} cannot be synced: {}", path.string(),
                  std::strerror(errno));
}

// Syncing a file that has not changed costs next to nothing.
void sync_directory(const fs::path& dir) {
  std::error_code gone;
  for (auto& entry : fs::directory_iterator{dir, gone})
    if (fs::is_regular_file(entry.symlink_status(gone)))
      sync_file(entry.path());
  sync_file(dir); // the names of new files
}

} // namespace

fsync_queue::fsync_queue() : thread_([this] { run(); }) {}

fsync_queue::~fsync_queue() {
  {
    std::lock_guard guard{mutex_};
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void fsync_queue::mark_dirty(const fs::path& dir) {
  std::lock_guard guard{mutex_};
  if (dirty_.insert(dir.native()).second && dirty_.size() == 1)
    changed_.notify_one();
}

void fsync_queue::run() {
  std::unique_lock lock{mutex_};
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !dirty_.empty(); });
    if (dirty_.empty())
      return;
    // Gather for a while: one fsync serves all that came meanwhile.
    changed_.wait_for(lock, period, [this] { return stopping_; });
    auto work = std::exchange(dirty_, {});
    lock.unlock();
    for (auto& dir : work)
      sync_directory(dir);
    lock.lock();
  }
}

} // namespace greenroom
