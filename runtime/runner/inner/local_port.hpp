// A connection to what listens on this process's own network: for previews,
// made inside the sandbox and handed out of it.
#pragma once

#include "runtime/base/fd.hpp"
#include "runtime/runner/protocol/spawn_request.hpp"

namespace greenroom::runner {

/// Connects to the port at 127.0.0.1, else at ::1, within three seconds. The
/// socket is non-blocking. None, and errno, where nothing answers.
unique_fd connect_to_local_port(const local_port& port);

} // namespace greenroom::runner
