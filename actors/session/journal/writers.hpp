// Journal writers: a few threads that do all file work of sessions, so that a
// disk that is slow keeps no actor from answering.
//
// A session is always on the same writer, which performs its requests one
// after the other: so its events stay in order, and what is asked after a
// crash of its actor finds what was asked before done. Events of sessions that
// wait are written together where they wait together. A result is there when
// the kernel has what was written; fsync_queue comes after, on a thread of its
// own.
//
// Each writer has one queue. What a session must have written is always taken:
// it is no more than the execs and requests that sessions admit. What a client
// can ask for again is refused while `max_queued` requests wait.
//
// Owned by the node; outlives all actors.
#pragma once

#include "actors/session/journal/keeper.hpp"
#include "actors/session/journal/refusals.hpp"
#include "actors/session/journal/session_files.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace greenroom {
class fsync_queue;
}

namespace greenroom::journal {

/// With the session's files, which are its writer's alone.
struct file_channel : channel {
  explicit file_channel(session_files of_session)
    : files(std::move(of_session)) {}
  ~file_channel() override {
    files.close();
  }
  session_files files;
};

using file_channel_ptr = std::shared_ptr<file_channel>;

/// One thread and its queue; for writers.cpp only.
class writer {
public:
  using clock = std::chrono::steady_clock;

  writer();
  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;
  ~writer();

  bool post(file_channel_ptr from, any_request what, std::size_t max_queued);
  std::chrono::milliseconds lag() const;

private:
  struct job {
    file_channel_ptr from;
    any_request what;
    clock::time_point since;
  };

  void run();
  void perform(job& one, bool more_events);
  void flush();

  std::vector<file_channel_ptr> appending_; // with events, not flushed yet
  mutable std::mutex mutex_;                // guards all below
  std::condition_variable changed_;
  std::deque<job> queue_;
  clock::time_point working_since_{}; // when that was asked for which is being
                                      // performed; 0: nothing is
  bool stopping_ = false;
  std::thread thread_; // last: it uses all of the above
};

class writers final : public keeper {
public:
  static constexpr std::size_t default_count = 4;
  static constexpr std::size_t max_queued = 4096; // a writer
  /// Later than this is worth a warning.
  static constexpr std::chrono::milliseconds late{1000};

  /// Which of `count` writers a session is on.
  static std::size_t index_of(const std::string& session_id,
                              std::size_t count) {
    return std::hash<std::string>{}(session_id) % count;
  }

  /// `syncer` must outlive it. `max_output` is of each session, as
  /// session_files has it.
  writers(std::filesystem::path data_dir, fsync_queue* syncer,
          std::size_t count = default_count, std::uint64_t max_output = 0);

  /// Performs what was asked for before, then ends.
  ~writers() override;

  channel_ptr open(const std::string& session_id) override;
  bool post(const std::string& session_id, const channel_ptr& from,
            any_request what) override;

  /// How long the oldest request has waited that is not performed yet.
  std::chrono::milliseconds lag() const;

  /// Why a session's timeline takes no events at the moment, if one does not.
  std::optional<std::string> problem() const {
    return refusals_.problem();
  }

private:
  std::filesystem::path data_dir_;
  fsync_queue* syncer_;
  std::uint64_t max_output_;
  refusals refusals_;
  std::vector<std::unique_ptr<writer>> writers_;
};

} // namespace greenroom::journal
