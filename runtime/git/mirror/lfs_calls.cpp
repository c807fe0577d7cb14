#include "runtime/git/mirror/lfs_calls.hpp"

#include <utility>

namespace greenroom::git {

lfs_calls::turn::turn(lfs_calls& of, std::filesystem::path place)
  : of_(of), place_(std::move(place)) {
  std::unique_lock guard{of_.mutex_};
  of_.over_.wait(guard, [this] { return !of_.places_.contains(place_); });
  of_.places_.insert(place_);
}

lfs_calls::turn::~turn() {
  std::lock_guard guard{of_.mutex_};
  of_.places_.erase(place_);
  of_.over_.notify_all();
}

} // namespace greenroom::git
