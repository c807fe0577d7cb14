// Makes what sessions have written survive a power cut, within a second.
//
// Execs, output and timelines are only handed to the kernel before they are
// announced, because an fsync per line would make every command slow. One
// thread comes after and syncs what has been touched, in groups: all that is
// dirty is given to the disk before any of it is waited for. One per node;
// sessions tell it which of their directories changed.
//
// The promise can be broken by a slow or failing disk. The queue knows how late
// it is, and says so: in the log, and by `look` for whom the node reports to.
// A directory that cannot be synced is tried again every second for as long as
// it is there; the thread lives on whatever happens. What the disk has refused
// once may be lost although it takes it then, and is told until the end.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

namespace greenroom {

class fsync_queue {
public:
  using clock = std::chrono::steady_clock;

  /// Later than this is worth a warning.
  static constexpr std::chrono::milliseconds late{1000};

  struct status {
    /// The age of the oldest change that is not known to be on disk; 0: none.
    std::chrono::milliseconds lag{0};
    /// Why the last try to sync some directory failed; empty: none has.
    std::string problem;
    /// The file that the disk refused first; empty: none. It stays so: the
    /// kernel reports that once, and counts the file as written from then on.
    std::string refused;
  };

  fsync_queue();
  fsync_queue(const fsync_queue&) = delete;
  fsync_queue& operator=(const fsync_queue&) = delete;

  /// Syncs what is left, once, then returns.
  ~fsync_queue();

  /// Files directly in the directory have changed. Cheap: called for each batch
  /// of events.
  void mark_dirty(const std::filesystem::path& dir);

  /// Any thread.
  status look() const;

private:
  /// Directories, and when the oldest change in them was made.
  using changes = std::unordered_map<std::string, clock::time_point>;

  void run();
  void sync(changes work);
  std::chrono::milliseconds lag() const;
  void warn_if_late();

  mutable std::mutex mutex_; // guards all below
  std::condition_variable changed_;
  changes dirty_;
  changes failed_; // to be tried again
  std::string problem_;
  std::string refused_;
  clock::time_point syncing_since_{}; // the oldest change being synced; 0: none
  clock::time_point warned_{};
  bool stopping_ = false;
  std::thread thread_; // last: it uses all of the above
};

} // namespace greenroom
