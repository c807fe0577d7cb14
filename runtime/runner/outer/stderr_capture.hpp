// Captures a child's stderr in a small file in memory until its start has
// succeeded: so it never waits for a reader, and what does not fit is dropped.
#pragma once

#include "runtime/base/fd.hpp"

#include <string>

namespace greenroom::runner {

/// The file, to be the child's stderr. Throws std::system_error.
unique_fd capture_stderr();

/// The last line that was written; empty where there is none.
std::string last_line_of(int file);

} // namespace greenroom::runner
