// How a runner comes to stand beside its session, on its own.
#pragma once

#include <string>
#include <vector>

namespace greenroom::runner {

/// Starts the runner of the session whose directory is `session_dir`, and
/// returns when it listens: it is then a daemon that shares nothing with the
/// caller. Does nothing where one listens already. Throws std::runtime_error
/// or std::system_error where it cannot. Descriptors 0 to 2 have to be open,
/// and no others.
void start(const char* session_dir);

/// Makes the sandbox that the session's runner.json describes, and ends with
/// this process what is in it. A sentence for each part of it that does not
/// hold here. Throws std::runtime_error.
std::vector<std::string> try_out(const char* session_dir);

} // namespace greenroom::runner
