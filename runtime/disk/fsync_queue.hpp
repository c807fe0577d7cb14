// Makes what sessions have written survive a power cut, within a second.
//
// Execs, output and timelines are only handed to the kernel before they are
// announced, because an fsync per line would make every command slow. One
// thread comes after and fsyncs what has been touched. One per node; sessions
// tell it which of their directories changed.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>

namespace greenroom {

class fsync_queue {
public:
  fsync_queue();
  fsync_queue(const fsync_queue&) = delete;
  fsync_queue& operator=(const fsync_queue&) = delete;

  /// Syncs what is left, then returns.
  ~fsync_queue();

  /// Files directly in the directory have changed. Cheap: called for each batch
  /// of events.
  void mark_dirty(const std::filesystem::path& dir);

private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_set<std::string> dirty_;
  bool stopping_ = false;
  std::thread thread_; // last: it uses all of the above
};

} // namespace greenroom
