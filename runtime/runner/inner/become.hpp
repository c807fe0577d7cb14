// The last step into a sandbox that has a user of its own: see
// runner/outer/user_namespaces.hpp. bwrap hands over as the node's user, which
// is nobody inside, with the capabilities that it takes to be somebody else.
#pragma once

namespace greenroom::runner {

/// Makes the calling process the session's user (user_inside), without groups
/// and capabilities and without a way to them, and makes its runtime directory.
/// It dies with its parent, as bwrap has told it before. Where it is that user
/// already, nothing is done. Throws std::system_error.
void become_session_user();

/// The same, then runs a program, found by PATH, in a directory and with no
/// descriptor beyond the standard ones. Exit code 1, and a line on stderr,
/// where that cannot be.
[[noreturn]] void become_session_user_and_run(const char* directory,
                                              char** argv) noexcept;

} // namespace greenroom::runner
