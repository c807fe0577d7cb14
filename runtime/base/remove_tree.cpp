#include "runtime/base/remove_tree.hpp"

#include "runtime/base/fd.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace greenroom {

namespace {

namespace fs = std::filesystem;

constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// What is moved to the top is called so, with a number. No name of this kind is
// in the way: one that is there already is passed over.
constexpr const char* moved_name = ".greenroom-removed-";

using dir_handle = std::unique_ptr<DIR, int (*)(DIR*)>;

dir_handle open_stream(int dir) {
  unique_fd copy{::openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  dir_handle result{copy ? ::fdopendir(copy.get()) : nullptr, ::closedir};
  if (result)
    copy.release();
  return result;
}

// Gives us who own a directory all rights in it.
void open_up(int parent, const char* name) {
  unique_fd it{
    ::openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (it)
    ::chmod(("/proc/self/fd/" + std::to_string(it.get())).c_str(), 0700);
}

unique_fd open_directory(int parent, const char* name) {
  unique_fd result{::openat(parent, name, directory_flags)};
  if (!result && errno == EACCES) {
    open_up(parent, name);
    result.reset(::openat(parent, name, directory_flags));
  }
  return result;
}

class remover {
public:
  remover(int top, fs::path path) : top_(top), path_(std::move(path)) {}

  /// Empties the top. Directories come up from below while it is read, so it
  /// is read until nothing is left, or nothing can be removed any more.
  void empty_top() {
    for (bool more = true; more;) {
      more = false;
      for_each(top_, [&](const char* name) {
        if (remove(top_, name))
          more = true;
        else if (errno != ENOTEMPTY && errno != EEXIST)
          fail(name);
        else
          more = empty_child(name) || more;
      });
    }
  }

  void throw_failure() const {
    if (failure_)
      throw *failure_;
  }

private:
  template <class F>
  void for_each(int dir, F&& use) {
    auto stream = open_stream(dir);
    if (!stream) {
      fail("");
      return;
    }
    while (auto entry = ::readdir(stream.get())) {
      std::string name = entry->d_name;
      if (name != "." && name != "..")
        use(name.c_str());
    }
  }

  // False: it is a directory that is not empty, or errno says why not.
  static bool remove(int dir, const char* name) {
    if (::unlinkat(dir, name, 0) == 0 || errno == ENOENT)
      return true;
    // Linux says EISDIR, POSIX EPERM.
    if (errno != EISDIR && errno != EPERM)
      return false;
    return ::unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
  }

  // Takes away a directory of the top; what directories it has come to the
  // top. True: something was done.
  bool empty_child(const char* name) {
    auto child = open_directory(top_, name);
    if (!child) {
      fail(name);
      return false;
    }
    bool done = false;
    bool opened_up = false;
    for_each(child.get(), [&](const char* inner) {
      auto taken = remove(child.get(), inner) || move_up(child.get(), inner);
      if (!taken && errno == EACCES && !std::exchange(opened_up, true)) {
        open_up(top_, name);
        taken = remove(child.get(), inner) || move_up(child.get(), inner);
      }
      if (taken)
        done = true;
      else
        fail(name + ("/" + std::string{inner}));
    });
    return ::unlinkat(top_, name, AT_REMOVEDIR) == 0 || done;
  }

  bool move_up(int from, const char* name) {
    if (errno != ENOTEMPTY && errno != EEXIST)
      return false;
    for (;;) {
      auto next = moved_name + std::to_string(next_++);
      if (::renameat2(from, name, top_, next.c_str(), RENAME_NOREPLACE) == 0)
        return true;
      if (errno == EEXIST)
        continue;
      if (errno != EACCES)
        return false;
      // To change its `..` it must be open to us.
      open_up(from, name);
      return ::renameat2(from, name, top_, next.c_str(), RENAME_NOREPLACE) == 0;
    }
  }

  void fail(const std::string& name) {
    if (!failure_)
      failure_.emplace(errno, std::generic_category(),
                       "cannot remove \"" + (path_ / name).string() + '"');
  }

  const int top_;
  const fs::path path_;
  std::uint64_t next_ = 0;
  std::optional<std::system_error> failure_; // the first
};

} // namespace

void remove_tree(const fs::path& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT)
    return;
  if (errno != EISDIR && errno != EPERM)
    throw std::system_error(errno, std::generic_category(),
                            "cannot remove \"" + path.string() + '"');
  auto top = open_directory(AT_FDCWD, path.c_str());
  if (!top)
    throw std::system_error(errno, std::generic_category(),
                            "cannot open \"" + path.string() + '"');
  ::fchmod(top.get(), 0700);
  remover work{top.get(), path};
  work.empty_top();
  if (::rmdir(path.c_str()) == 0 || errno == ENOENT)
    return;
  auto error = errno;
  work.throw_failure();
  throw std::system_error(error, std::generic_category(),
                          "cannot remove \"" + path.string() + '"');
}

} // namespace greenroom
