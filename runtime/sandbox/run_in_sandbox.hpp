// One program in a sandbox of its own around a session's files, for the work
// that the server itself has in a checkout: git serving a clone, our helper
// saving what was not committed.
//
// The program sees what the session's commands see, under the same limits, but
// none of their processes and no network. It is over when it ends: what it left
// in the background dies with it.
#pragma once

#include "runtime/base/run_command.hpp"
#include "runtime/base/session_paths.hpp"
#include "runtime/sandbox/plan.hpp"

#include <filesystem>
#include <vector>

namespace greenroom::sandbox {

/// Turns a command into one that runs the same in the sandbox: for
/// run_command, or for anybody who starts argv with env in cwd. It needs no
/// descriptors beyond stdin, stdout and stderr. To end it early, kill its
/// process group (its first process has to lead one).
///
/// `what.cwd` is below the checkout, or empty for its top; argv[0] is absolute
/// or in what.env's PATH (in mode none: the server's); env shows in the host's
/// process list. `read_only` are host paths that it sees at the same place.
/// Because the mirror's objects are where the host has them too, only the
/// checkout has another path inside: name files in it relative to cwd.
///
/// An exit code of 128+n stands for signal n. What goes wrong before the
/// program runs is an exit code of 1 or 125 and a line on stderr.
///
/// In mode none the command runs on the host as it is. The thread that starts
/// it must outlive it: its end kills the sandbox. Makes the session's control
/// groups where they are missing, so remove_groups comes after the last call.
/// Throws std::system_error.
command
run_in_sandbox(const host& on, const session_paths& session, command what,
               const std::vector<std::filesystem::path>& read_only = {});

} // namespace greenroom::sandbox
