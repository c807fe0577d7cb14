// slirp4netns: the way from a sandbox's own network namespace to the outside,
// as an ordinary program's connections, without the host's loopback.
#pragma once

#include "runtime/runner/protocol/session_files.hpp"

#include <sys/types.h>

namespace greenroom::runner {

/// Attaches slirp4netns to the network namespace that `network` is open on and
/// that belongs to the user namespace `users`, in the plan's control groups.
/// Returns its pid when packets pass: a child that dies with this process, and
/// is the caller's to reap. Throws std::runtime_error, whose text is a sentence
/// for the user.
pid_t start_slirp(int network, int users, const sandbox_plan& plan);

} // namespace greenroom::runner
