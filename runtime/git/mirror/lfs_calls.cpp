#include "runtime/git/mirror/lfs_calls.hpp"

#include "messages/errors.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace greenroom::git {

lfs_calls::lfs_calls() : stop_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!stop_fd_)
    throw std::system_error(errno, std::generic_category(),
                            "cannot make an eventfd");
}

void lfs_calls::stop() {
  std::lock_guard guard{mutex_};
  stopped_ = true;
  ::eventfd_write(stop_fd_.get(), 1);
  over_.notify_all();
}

lfs_calls::turn::turn(lfs_calls& of, std::filesystem::path place,
                      bool until_stop)
  : of_(of), place_(std::move(place)) {
  std::unique_lock guard{of_.mutex_};
  of_.over_.wait(guard, [&] {
    return (until_stop && of_.stopped_) || !of_.places_.contains(place_);
  });
  if (until_stop && of_.stopped_)
    throw refused{errc::unavailable, "the server stops, try again in a moment"};
  of_.places_.insert(place_);
}

lfs_calls::turn::~turn() {
  std::lock_guard guard{of_.mutex_};
  of_.places_.erase(place_);
  of_.over_.notify_all();
}

} // namespace greenroom::git
