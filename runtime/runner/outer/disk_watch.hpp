// What a session holds on disk, measured now and then while commands run.
//
// Few file systems can limit a directory, so this is done by looking: a child
// process walks through what the session can write, and whoever owns this is
// told where that is more than it may be and has grown since the last look. A
// session that is over its limit can so remove what is too much. Between two
// looks lies a pause that grows with what a look costs.
#pragma once

#include "runtime/base/fd.hpp"
#include "runtime/runner/outer/event_loop.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace greenroom::runner {

/// 0: as much as there is.
struct disk_limits {
  std::uint64_t temporary = 0; // bytes in tmp
  std::uint64_t all = 0;       // bytes in checkout, home and tmp
  std::uint64_t files = 0;     // in the same
  friend bool operator==(const disk_limits&, const disk_limits&) = default;
};

/// Those among a plan's limits, which are called disk_tmp, disk_all and
/// disk_files; they are no limits of processes.
disk_limits take_disk_limits(std::map<std::string, std::uint64_t>& from);

class disk_watch {
public:
  /// Told in a sentence for the user.
  using over_limit = std::function<void(const std::string& reason)>;

  /// `session_dir` is borrowed. Nothing is measured where nothing is limited.
  /// `prepare` is called in the process that measures, before it does.
  disk_watch(event_loop& loop, int session_dir, disk_limits limits,
             std::function<void()> prepare, over_limit told);
  disk_watch(const disk_watch&) = delete;
  disk_watch& operator=(const disk_watch&) = delete;
  ~disk_watch();

  /// To be called after each round of events; `busy`: commands run.
  void attend(steady::time_point now, bool busy);

  std::optional<steady::time_point> deadline() const noexcept {
    return next_;
  }

private:
  struct usage {
    std::uint64_t temporary = 0; // bytes in /tmp
    std::uint64_t all = 0;       // bytes
    std::uint64_t files = 0;
    bool whole = true;
  };

  void look();
  [[noreturn]] void answer_and_exit(int answer) noexcept;
  void hear();
  void judge(const usage& now);
  static usage measure(int session_dir);

  event_loop& loop_;
  int session_dir_;
  disk_limits limits_;
  std::function<void()> prepare_;
  over_limit told_;
  unique_fd answer_; // of the look that is under way
  steady::time_point began_;
  std::optional<steady::time_point> next_;
  usage last_;
};

} // namespace greenroom::runner
