#include "runtime/disk/fsync_queue.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/injected_faults.hpp"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

namespace greenroom {

namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds gather_time{250};
constexpr std::chrono::seconds retry_pause{1};
constexpr std::chrono::seconds warning_pause{10};

/// Files that are open at a time, which share one commit of the file system's
/// journal.
constexpr std::size_t files_at_once = 64;

/// Syncs directories a group of files at a time.
class group_commit {
public:
  void add(const std::string& dir) {
    try {
      if (auto error = injected_fault("readdir"))
        throw std::system_error(error, std::generic_category());
      for (auto& entry : fs::directory_iterator{dir})
        if (std::error_code gone;
            fs::is_regular_file(entry.symlink_status(gone)))
          open(dir, entry.path());
      open(dir, dir); // the names of new files
    } catch (const std::system_error& e) {
      if (e.code() != std::errc::no_such_file_or_directory)
        fail(dir, e.code().message());
    }
  }

  void finish() {
    // All are on their way to the disk before one is waited for.
    for (auto& one : files_)
      ::sync_file_range(one.fd.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
    for (auto& one : files_) {
      auto error = injected_fault("fdatasync");
      if (error == 0 && ::fdatasync(one.fd.get()) != 0)
        error = errno;
      if (error == 0)
        continue;
      auto why = std::generic_category().message(error);
      if (refused_.empty())
        refused_ = one.path + ": " + why;
      fail(one.dir, std::move(why));
    }
    files_.clear();
  }

  const std::set<std::string>& failed() const noexcept {
    return failed_;
  }
  const std::string& problem() const noexcept {
    return problem_;
  }
  const std::string& refused() const noexcept {
    return refused_;
  }

private:
  struct file {
    unique_fd fd;
    const std::string& dir;
    std::string path;
  };

  void open(const std::string& dir, const fs::path& path) {
    if (files_.size() == files_at_once)
      finish();
    unique_fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (fd)
      files_.push_back({std::move(fd), dir, path.string()});
    else if (errno != ENOENT) // else gone with its session
      throw std::system_error(errno, std::generic_category());
  }

  void fail(const std::string& dir, std::string why) {
    if (failed_.insert(dir).second)
      spdlog::error("{} cannot be synced, it is tried again: {}", dir, why);
    problem_ = std::move(why);
  }

  std::vector<file> files_;
  std::set<std::string> failed_;
  std::string problem_;
  std::string refused_;
};

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
  if (dirty_.try_emplace(dir.native(), clock::now()).second
      && dirty_.size() == 1)
    changed_.notify_one();
  warn_if_late();
}

fsync_queue::status fsync_queue::look() const {
  std::lock_guard guard{mutex_};
  return {lag(), problem_, refused_};
}

std::chrono::milliseconds fsync_queue::lag() const {
  auto now = clock::now();
  auto oldest = now;
  if (syncing_since_ != clock::time_point{})
    oldest = syncing_since_;
  for (auto* all : {&dirty_, &failed_})
    for (auto& [dir, since] : *all)
      oldest = std::min(oldest, since);
  return std::chrono::duration_cast<std::chrono::milliseconds>(now - oldest);
}

// Not from the queue's thread alone: that may be what hangs.
void fsync_queue::warn_if_late() {
  auto now = clock::now();
  if (now - warned_ < warning_pause)
    return;
  if (auto behind = lag(); behind > late) {
    warned_ = now;
    spdlog::warn("what was written {} ms ago is not on disk yet: a power cut "
                 "would lose it",
                 behind.count());
  }
}

void fsync_queue::run() {
  std::unique_lock lock{mutex_};
  while (!stopping_ || !dirty_.empty()) {
    auto has_work = [this] { return stopping_ || !dirty_.empty(); };
    if (failed_.empty())
      changed_.wait(lock, has_work);
    else
      changed_.wait_for(lock, retry_pause, has_work);
    // Gather for a while: one sync serves all that came meanwhile.
    changed_.wait_for(lock, gather_time, [this] { return stopping_; });
    auto work = std::exchange(failed_, {});
    for (auto& [dir, since] : std::exchange(dirty_, {})) {
      auto& oldest = work.try_emplace(dir, since).first->second;
      oldest = std::min(oldest, since);
    }
    syncing_since_ = {};
    for (auto& [dir, since] : work)
      if (syncing_since_ == clock::time_point{} || since < syncing_since_)
        syncing_since_ = since;
    lock.unlock();
    sync(std::move(work));
    lock.lock();
    warn_if_late();
    syncing_since_ = {};
  }
}

void fsync_queue::sync(changes work) {
  group_commit group;
  std::string problem;
  auto all_failed = false;
  try {
    for (auto& [dir, since] : work)
      group.add(dir);
    group.finish();
    problem = group.problem();
  } catch (const std::exception& e) { // there is no memory
    problem = e.what();
    all_failed = true;
  }
  std::lock_guard guard{mutex_};
  problem_ = std::move(problem);
  if (refused_.empty() && !group.refused().empty()) {
    refused_ = group.refused();
    spdlog::critical("the disk has refused to keep {}: a power cut may lose "
                     "what was written, whatever is said later",
                     refused_);
  }
  if (all_failed)
    failed_ = std::move(work);
  else
    for (auto& dir : group.failed())
      failed_.insert(work.extract(dir));
}

} // namespace greenroom
