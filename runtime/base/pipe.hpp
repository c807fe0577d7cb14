// A pipe, each end with an owner.
#pragma once

#include "runtime/base/fd.hpp"
#include "runtime/base/throw_errno.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>

namespace greenroom {

struct pipe_ends {
  unique_fd reader;
  unique_fd writer;
};

/// Blocking, and closed to what is executed. Throws system_error where there
/// is none to be had.
inline pipe_ends make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw_errno("cannot make a pipe");
  return {unique_fd{ends[0]}, unique_fd{ends[1]}};
}

} // namespace greenroom
