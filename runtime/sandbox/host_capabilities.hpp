// Whether this machine can hold sessions as the configuration wants it, found
// out at the start of a node rather than by its first user.
#pragma once

#include "runtime/sandbox/plan.hpp"

#include <filesystem>

namespace greenroom::sandbox {

/// Writes the made files (assets.hpp), finds the programs and the
/// control groups, and runs a program in a sandbox like that of a session.
/// `runner` is greenroom-runner; both it and node.data_dir, which must exist,
/// may be relative. Throws std::runtime_error with a sentence that says what is
/// missing and what to change; a limit that cannot be had is no error but is
/// in not_in_force. Blocks for some 20 ms, with nat for 100. In mode none there
/// is nothing to find out.
host check_host(const config& settings, const std::filesystem::path& runner);

} // namespace greenroom::sandbox
