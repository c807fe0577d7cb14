// The way from git inside of a session to its `origin`, as core.gitProxy.
#pragma once

#include "runtime/base/fd.hpp"

#include <filesystem>

namespace greenroom::git {

/// A connection to origin/socket below `directory`; none, with errno, where
/// that cannot be had.
unique_fd dial_origin(const std::filesystem::path& directory);

/// Dials origin/socket below `directory`, and carries what comes on stdin
/// there and its answer to stdout. Returns the exit code.
int connect_origin(const std::filesystem::path& directory);

} // namespace greenroom::git
