#include "runtime/logs/syncer.hpp"

#include "runtime/base/fd.hpp"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <utility>

namespace greenroom {

namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds period{500};
// A file that has not changed for this long was synced by an earlier round.
constexpr std::time_t settled = 5;

void sync_file(const fs::path& path) {
  unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (!file)
    return; // gone with its session
  if (::fdatasync(file.get()) != 0)
    spdlog::error("{} cannot be synced: {}", path.string(),
                  std::strerror(errno));
}

void sync_recent_files(const fs::path& dir) {
  auto now = std::time(nullptr);
  std::error_code gone;
  for (auto& entry : fs::directory_iterator{dir, gone}) {
    struct ::stat status {};
    if (::lstat(entry.path().c_str(), &status) == 0 && S_ISREG(status.st_mode)
        && now - status.st_mtime <= settled)
      sync_file(entry.path());
  }
  sync_file(dir); // the names of new files
}

void sync_session(const fs::path& dir) {
  sync_recent_files(dir);
  auto now = std::time(nullptr);
  std::error_code gone;
  for (auto& entry : fs::directory_iterator{dir / "exec", gone}) {
    // A directory's own time does not change while its files grow.
    struct ::stat status {};
    auto exit = entry.path() / "exit.json";
    if (::lstat(exit.c_str(), &status) != 0 || now - status.st_mtime <= settled)
      sync_recent_files(entry.path());
  }
}

} // namespace

log_syncer::log_syncer() : thread_([this] { run(); }) {}

log_syncer::~log_syncer() {
  {
    std::lock_guard guard{mutex_};
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void log_syncer::touched(const fs::path& session_dir) {
  std::lock_guard guard{mutex_};
  if (dirty_.insert(session_dir.native()).second && dirty_.size() == 1)
    changed_.notify_one();
}

void log_syncer::run() {
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
      sync_session(dir);
    lock.lock();
  }
}

} // namespace greenroom
