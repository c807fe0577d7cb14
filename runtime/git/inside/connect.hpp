// The way from git inside of a session to its `origin`, as core.gitProxy.
#pragma once

#include <filesystem>

namespace greenroom::git {

/// Dials origin/socket below `directory`, and carries what comes on stdin
/// there and its answer to stdout. Returns the exit code.
int connect_origin(const std::filesystem::path& directory);

} // namespace greenroom::git
