// A file descriptor with one owner.
//
// Every descriptor in Greenroom lives in one of these from the call that makes
// it on, so that no path out of a function leaks it. Calls that make
// descriptors pass O_CLOEXEC or its like: what a command gets is given to it
// on purpose.
#pragma once

#include <unistd.h>

#include <utility>

namespace greenroom {

class unique_fd {
public:
  unique_fd() noexcept = default;

  /// Takes over `fd`; a negative number is no descriptor.
  explicit unique_fd(int fd) noexcept : fd_(fd) {}

  unique_fd(unique_fd&& other) noexcept : fd_(other.release()) {}

  unique_fd& operator=(unique_fd&& other) noexcept {
    reset(other.release());
    return *this;
  }

  unique_fd(const unique_fd&) = delete;
  unique_fd& operator=(const unique_fd&) = delete;

  ~unique_fd() {
    reset();
  }

  int get() const noexcept {
    return fd_;
  }

  /// Gives the descriptor up without closing it.
  int release() noexcept {
    return std::exchange(fd_, -1);
  }

  /// Closes what is held, if anything, and takes over `fd`.
  void reset(int fd = -1) noexcept {
    // Linux frees the number even where close reports an error.
    if (auto old = std::exchange(fd_, fd); old >= 0)
      ::close(old);
  }

  explicit operator bool() const noexcept {
    return fd_ >= 0;
  }

private:
  int fd_ = -1;
};

} // namespace greenroom
