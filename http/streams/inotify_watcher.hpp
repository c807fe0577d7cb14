// Tells who follows the logs of execs when they have grown.
//
// One per HTTP thread, for that thread alone. The kernel says what was written
// in a directory (inotify), so nobody else is asked, and a follower costs the
// session nothing. It is a hint and no more: where the kernel has no watch left
// to give, or the directory is not there yet, followers look by themselves now
// and then.
#pragma once

#include <filesystem>
#include <memory>

namespace greenroom::http {

class loop;

class log_listener {
public:
  virtual ~log_listener() = default;

  /// Something was written in the directory.
  virtual void rang() = 0;
};

class inotify_watcher {
public:
  explicit inotify_watcher(http::loop& home);
  inotify_watcher(const inotify_watcher&) = delete;
  inotify_watcher& operator=(const inotify_watcher&) = delete;
  ~inotify_watcher();

  /// Tells a listener for as long as the result is held. Null: there is no
  /// telling; try again later.
  std::shared_ptr<void> add(const std::filesystem::path& dir,
                            std::weak_ptr<log_listener> listener);

private:
  struct state;
  struct subscription;
  std::shared_ptr<state> state_;
};

} // namespace greenroom::http
