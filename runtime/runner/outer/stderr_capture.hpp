// Where a program that the runner starts may complain until it is known to
// work: a small file in memory, so that it never waits for a reader, and what
// does not fit is dropped.
#pragma once

#include "runtime/base/fd.hpp"

#include <string>

namespace greenroom::runner {

/// Throws std::system_error.
unique_fd make_complaints();

/// The last line that was written; empty where there is none.
std::string last_complaint(int file);

} // namespace greenroom::runner
