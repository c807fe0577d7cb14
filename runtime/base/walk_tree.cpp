#include "runtime/base/walk_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

namespace greenroom {

namespace {

namespace fs = std::filesystem;

constexpr int entry_flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

using dir_handle = std::unique_ptr<DIR, int (*)(DIR*)>;

// Not there any more, or no longer what it was.
bool has_gone(int error) {
  return error == ENOENT || error == ENOTDIR || error == ELOOP
         || error == EXDEV;
}

unsigned char type_of(int dir, const dirent& entry) {
  struct stat info;
  if (entry.d_type != DT_UNKNOWN
      || ::fstatat(dir, entry.d_name, &info, AT_SYMLINK_NOFOLLOW) != 0)
    return entry.d_type;
  return static_cast<unsigned char>(IFTODT(info.st_mode));
}

bool is_on_device_of(int top, int dir) {
  struct stat one;
  struct stat other;
  return ::fstat(top, &one) == 0 && ::fstat(dir, &other) == 0
         && one.st_dev == other.st_dev;
}

unique_fd out_of_reach() {
  errno = EXDEV;
  return {};
}

// Name by name, for kernels and containers that have no openat2.
unique_fd open_step_by_step(int top, std::string_view path) {
  unique_fd result;
  while (!path.empty()) {
    std::string name{path.substr(0, path.find('/'))};
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    if (name == "..")
      return out_of_reach();
    auto from = result ? result.get() : top;
    unique_fd next{::openat(from, name.c_str(), entry_flags | O_NOFOLLOW)};
    if (!next)
      return next;
    if (!is_on_device_of(top, next.get()))
      return out_of_reach();
    result = std::move(next);
  }
  return result;
}

unique_fd open_below(int top, const std::string& path) {
  open_how how{};
  how.flags = entry_flags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
  unique_fd result{static_cast<int>(
    ::syscall(SYS_openat2, top, path.c_str(), &how, sizeof how))};
  if (!result && (errno == ENOSYS || errno == EPERM))
    return open_step_by_step(top, path);
  return result;
}

std::system_error unreadable(const fs::path& path) {
  return {errno, std::generic_category(),
          "cannot read the directory \"" + path.string() + '"'};
}

} // namespace

opened_directory::opened_directory(const fs::path& top)
  : top_(::open(top.c_str(), entry_flags | O_NOFOLLOW)) {
  if (!top_)
    throw unreadable(top);
}

int opened_directory::at(std::string_view path) {
  if (path.empty())
    return top_.get();
  if (opened_ && path_ == path)
    return opened_.get();
  path_ = path;
  opened_ = open_below(top_.get(), path_);
  return opened_.get();
}

void walk_tree(const fs::path& top,
               const std::function<void(const visited&)>& use,
               std::string_view without) {
  opened_directory opened{top};
  std::vector<std::string> left{""};
  while (!left.empty()) {
    auto path = std::move(left.back());
    left.pop_back();
    auto dir = opened.at(path);
    if (dir < 0 && has_gone(errno))
      continue;
    // A stream of its own: reading moves it on.
    unique_fd copy{dir < 0 ? -1 : ::openat(dir, ".", entry_flags)};
    dir_handle stream{copy ? ::fdopendir(copy.get()) : nullptr, ::closedir};
    if (!stream)
      throw unreadable(top / path);
    copy.release();
    while (const auto* entry = ::readdir(stream.get())) {
      std::string_view name{entry->d_name};
      if (name == "." || name == ".." || (path.empty() && name == without))
        continue;
      auto type = type_of(dir, *entry);
      if (type == DT_UNKNOWN)
        continue;
      use({dir, entry->d_name, type});
      if (type == DT_DIR)
        left.push_back(path.empty() ? std::string{name}
                                    : path + '/' + entry->d_name);
    }
  }
}

} // namespace greenroom
