// The address of a session's runner.
//
// A Unix socket's path may have 107 bytes, a session's may have more: both
// ends reach the socket through an open descriptor of its directory.
#pragma once

#include "runtime/base/fd.hpp"

#include <sys/un.h>

namespace greenroom::runner {

/// The socket in the session directory that `dir` is open on. Valid while it
/// is.
sockaddr_un socket_address(int dir);

/// A non-blocking connection to the runner. No descriptor, and errno, where
/// there is none: ENOENT or ECONNREFUSED say that nobody listens.
unique_fd connect_to_runner(int dir);

} // namespace greenroom::runner
