// When questions to git that are under way have to end, for the sake of others
// who wait to ask.
//
// A question blocks the thread that works on it, which is not the one that
// knows who waits. So each has a descriptor here, which its git is run with
// (stoppable_git.hpp), and which can be read once its time is over.
//
// One for a node; thread-safe. A question's key names it among those that are
// under way: question_key.
#pragma once

#include "runtime/base/fd.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace greenroom::git {

class question_limits {
public:
  using time_point = std::chrono::steady_clock::time_point;
  using descriptor = std::shared_ptr<const unique_fd>;

  /// The question is begun. Where there is no descriptor left, it has its own
  /// time-out only.
  void begin(const std::string& key);

  /// It has ended; who still has its descriptor may go on using that.
  void end(const std::string& key);

  /// It is to end at that time, or at once where that is over; nullopt: as
  /// late as it likes. Nothing happens where it is not under way.
  void end_by(const std::string& key, std::optional<time_point> when);

  /// What can be read then, never null; with -1 in it nothing ends it early.
  descriptor watch(const std::string& key);

private:
  std::mutex mutex_;
  std::map<std::string, descriptor> under_way_;
};

/// Of one about `of`, a session or a commit, which belongs to the project.
inline std::string question_key(const std::string& project_id,
                                const std::string& of) {
  return project_id + ' ' + of;
}

/// Throws what is answered to a question that was ended so:
/// refused(overloaded).
[[noreturn]] void give_way();

} // namespace greenroom::git
