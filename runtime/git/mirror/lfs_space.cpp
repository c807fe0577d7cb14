#include "runtime/git/mirror/lfs_space.hpp"

#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

struct kept_contents {
  fs::file_time_type used;
  std::uint64_t size = 0;
  fs::path place;
};

// Others add and remove meanwhile: what is gone by now does not count.
template <class F>
void for_each_entry(const fs::path& directory, F&& visit) {
  std::error_code fault;
  fs::directory_iterator at{directory, fault};
  for (; !fault && at != fs::directory_iterator{}; at.increment(fault))
    visit(*at);
}

void collect(const fs::path& directory, int depth,
             std::vector<kept_contents>& to) {
  for_each_entry(directory, [&](const fs::directory_entry& entry) {
    std::error_code fault;
    if (depth > 0)
      return collect(entry.path(), depth - 1, to);
    auto size = entry.file_size(fault);
    if (fault)
      return;
    auto used = entry.last_write_time(fault);
    if (!fault)
      to.push_back({used, size, entry.path()});
  });
}

std::vector<kept_contents> all_in(const fs::path& repos) {
  std::vector<kept_contents> result;
  for_each_entry(repos, [&](const fs::directory_entry& entry) {
    collect(entry.path() / "lfs.git/lfs/objects", 2, result);
  });
  return result;
}

} // namespace

lfs_space::lfs_space(fs::path repos, std::uint64_t limit)
  : repos_(std::move(repos)), limit_(limit) {}

void lfs_space::added(const fs::path& place) {
  std::lock_guard guard{mutex_};
  std::error_code gone;
  auto size = fs::file_size(place, gone);
  if (used_ && !gone)
    *used_ += size;
  if (!used_ || *used_ > limit_)
    trim(place);
}

void lfs_space::trim(const fs::path& latest) {
  auto all = all_in(repos_);
  std::uint64_t used = 0;
  for (const auto& one : all)
    used += one.size;
  if (used > limit_) {
    std::ranges::sort(all, {}, &kept_contents::used);
    // Somewhat more, so that not each that comes has all looked at again.
    const auto goal = limit_ - limit_ / 10;
    for (const auto& one : all) {
      std::error_code fault;
      if (used <= goal)
        break;
      if (one.place != latest && fs::remove(one.place, fault))
        used -= one.size;
    }
  }
  used_ = used;
}

} // namespace greenroom::git
