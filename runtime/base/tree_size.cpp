#include "runtime/base/tree_size.hpp"

#include "runtime/base/fd.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace greenroom {

namespace {

using dir_handle = std::unique_ptr<DIR, int (*)(DIR*)>;

class tree_walk {
public:
  tree_walk(tree_size& to, std::size_t max_depth) : to_(to), max_(max_depth) {}

  /// Counts one name, and goes into it where it is a directory.
  void take(int at, const char* name) {
    struct stat info;
    if (::fstatat(at, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
      return;
    if (levels_.empty())
      device_ = info.st_dev;
    else if (info.st_dev != device_)
      return;
    constexpr std::uint64_t block = 512;
    auto bytes = static_cast<std::uint64_t>(info.st_blocks) * block;
    auto names = std::max<std::uint64_t>(info.st_nlink, 1);
    to_.bytes += S_ISDIR(info.st_mode) ? bytes : bytes / names;
    ++to_.files;
    if (S_ISDIR(info.st_mode))
      enter(at, name);
  }

  /// False when all has been seen.
  bool next() {
    if (levels_.empty())
      return false;
    auto* top = levels_.back().get();
    const auto* entry = ::readdir(top);
    if (entry == nullptr)
      levels_.pop_back();
    else if (std::string_view name{entry->d_name}; name != "." && name != "..")
      take(::dirfd(top), entry->d_name);
    return true;
  }

private:
  void enter(int at, const char* name) {
    unique_fd fd;
    if (levels_.size() < max_)
      fd.reset(
        ::openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    else
      errno = EMFILE;
    dir_handle dir{fd ? ::fdopendir(fd.get()) : nullptr, ::closedir};
    if (dir) {
      fd.release();
      levels_.push_back(std::move(dir));
    } else if (errno == EMFILE) {
      to_.whole = false;
    }
  }

  tree_size& to_;
  std::size_t max_;
  dev_t device_ = 0;
  std::vector<dir_handle> levels_;
};

} // namespace

void add_tree(tree_size& to, int at, const char* name, std::size_t max_depth,
              const std::function<bool()>& go_on) {
  constexpr std::uint64_t names_at_once = 1024;
  tree_walk walk{to, max_depth};
  walk.take(at, name);
  for (std::uint64_t seen = 1; walk.next(); ++seen)
    if (go_on && seen % names_at_once == 0 && !go_on()) {
      to.whole = false;
      return;
    }
}

} // namespace greenroom
