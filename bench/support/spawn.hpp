// Runs a program as cheaply as the system can: posix_spawn with a pipe for each
// output, both read to their end and dropped, and reaped.
//
// Throws std::system_error, and std::runtime_error with what it printed to
// stderr if its exit code is not 0.
#pragma once

#include <string>
#include <vector>

namespace greenroom::bench {

/// argv[0] is looked up in PATH; the environment is ours.
void spawn(const std::vector<std::string>& argv);

} // namespace greenroom::bench
