// The `git` program run by a server that may have to stop meanwhile.
#pragma once

#include "runtime/git/mirror/git_process.hpp"

#include <optional>

namespace greenroom::git {

/// As run; nullopt where git was ended because `stop_fd` could be read. -1:
/// nothing ends it early.
std::optional<command_result> run_until(const server_git& call, int stop_fd);

} // namespace greenroom::git
