// A text as a file without a name, for programs that read it from a
// descriptor.
#pragma once

#include "runtime/base/fd.hpp"

#include <string_view>

namespace greenroom::git {

/// Open for reading from its start. Throws std::system_error.
unique_fd memfd(std::string_view text);

} // namespace greenroom::git
