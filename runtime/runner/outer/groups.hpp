// The session's control groups, as those see them who enter them.
#pragma once

#include <string>
#include <vector>

namespace greenroom::runner {

/// Puts this process into the control groups, and by that all it will start.
/// Throws std::system_error.
void enter_groups(const std::vector<std::string>& directories);

} // namespace greenroom::runner
