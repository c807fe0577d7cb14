// A connection to what listens on this process's own network: for previews,
// made inside the sandbox and handed out of it.
#pragma once

#include "runtime/base/fd.hpp"

#include <cstdint>

namespace greenroom::runner {

/// Connects to 127.0.0.1:`port`, else to [::1]:`port`, within three seconds.
/// The socket is non-blocking. None, and errno, where nothing answers.
unique_fd connect_to_local_port(std::uint16_t port);

} // namespace greenroom::runner
