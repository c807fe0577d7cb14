#include "runtime/base/files.hpp"

#include "runtime/base/fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <system_error>

namespace greenroom {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(int error, const char* what, const fs::path& path) {
  throw std::system_error(error, std::generic_category(),
                          std::string{what} + " \"" + path.string() + '"');
}

void write_all(int fd, std::string_view text, const fs::path& path) {
  while (!text.empty()) {
    auto done = ::write(fd, text.data(), text.size());
    if (done >= 0)
      text.remove_prefix(static_cast<std::size_t>(done));
    else if (errno != EINTR)
      fail(errno, "cannot write", path);
  }
}

// Unlike any other that this machine is writing at the moment.
fs::path temporary_beside(const fs::path& path) {
  static std::atomic<unsigned> counter{0};
  auto result = path;
  result += "." + std::to_string(::getpid()) + "-"
            + std::to_string(counter.fetch_add(1)) + ".tmp";
  return result;
}

void sync_parent(int dir, const fs::path& path) {
  auto parent = path.has_parent_path() ? path.parent_path() : fs::path{"."};
  unique_fd fd{
    ::openat(dir, parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!fd || ::fsync(fd.get()) != 0)
    fail(errno, "cannot sync the directory", parent);
}

} // namespace

std::optional<std::string> read_file(const fs::path& path) {
  return read_file(AT_FDCWD, path);
}

std::optional<std::string> read_file(int dir, const fs::path& path) {
  unique_fd fd{::openat(dir, path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd) {
    if (errno == ENOENT || errno == ESRCH)
      return std::nullopt;
    fail(errno, "cannot open", path);
  }
  struct stat info;
  if (::fstat(fd.get(), &info) != 0)
    fail(errno, "cannot stat", path);
  // One byte more than the size: a file that has not grown is then read, and
  // known to be at its end, in two calls. Those of /proc say that they are
  // empty, and those of sysctls give what the first call has room for.
  std::string result(
    info.st_size == 0 ? 4096 : static_cast<std::size_t>(info.st_size) + 1,
    '\0');
  std::size_t size = 0;
  for (;;) {
    if (size == result.size())
      result.resize(size + size / 2 + 4096);
    auto got = ::read(fd.get(), result.data() + size, result.size() - size);
    if (got == 0)
      break;
    if (got > 0)
      size += static_cast<std::size_t>(got);
    else if (errno == ESRCH)
      return std::nullopt; // of a process that has gone meanwhile
    else if (errno != EINTR)
      fail(errno, "cannot read", path);
  }
  result.resize(size);
  return result;
}

void write_file_atomic(const fs::path& path, std::string_view text, mode_t mode,
                       bool durable) {
  write_file_atomic(AT_FDCWD, path, text, mode, durable);
}

void write_file_atomic(int dir, const fs::path& path, std::string_view text,
                       mode_t mode, bool durable) {
  auto temporary = temporary_beside(path);
  unique_fd fd{::openat(dir, temporary.c_str(),
                        O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                        mode)};
  if (!fd)
    fail(errno, "cannot create", temporary);
  try {
    write_all(fd.get(), text, temporary);
    if (durable && ::fsync(fd.get()) != 0)
      fail(errno, "cannot sync", temporary);
    fd.reset();
    if (::renameat(dir, temporary.c_str(), dir, path.c_str()) != 0)
      fail(errno, "cannot replace", path);
  } catch (...) {
    ::unlinkat(dir, temporary.c_str(), 0);
    throw;
  }
  if (durable)
    sync_parent(dir, path);
}

void ensure_dir(const fs::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0)
    return;
  if (errno == ENOENT && path.has_parent_path() && path.parent_path() != path) {
    ensure_dir(path.parent_path(), mode);
    if (::mkdir(path.c_str(), mode) == 0)
      return;
  }
  auto error = errno;
  std::error_code ignored;
  if (error == EEXIST && fs::is_directory(path, ignored))
    return;
  fail(error, "cannot make the directory", path);
}

} // namespace greenroom
