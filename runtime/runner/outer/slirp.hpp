// slirp4netns: the way from a sandbox's own network namespace to the outside,
// as an ordinary program's connections, without the host's loopback.
#pragma once

#include "runtime/base/fd.hpp"
#include "runtime/runner/protocol/session_files.hpp"

#include <sys/types.h>

namespace greenroom::runner {

/// slirp4netns on its way: attached to the network namespace that `network` is
/// open on and that belongs to the user namespace `users`, in the plan's
/// control groups. Errors are std::runtime_error, whose text is a sentence for
/// the user.
class slirp_start {
public:
  slirp_start(int network, int users, const sandbox_plan& plan);

  slirp_start(slirp_start&& other) noexcept;
  slirp_start& operator=(slirp_start&& other) noexcept;

  /// Kills it, unless it was waited for.
  ~slirp_start();

  /// Waits until packets pass. Returns its pid: a child that dies with this
  /// process, and is the caller's to reap.
  pid_t finish();

private:
  pid_t pid_ = 0;
  unique_fd answer_;
  unique_fd stderr_;
};

} // namespace greenroom::runner
