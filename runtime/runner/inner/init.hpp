// The inner half: the process above all supervisors, pid 1 of the sandbox where
// there is one.
//
// It has one supervisor waiting for the next request. When that is taken it
// makes another: not before the next request is there or a moment has passed,
// for a supervisor that is done waits again, and short commands one after
// another then cost no fork. It reaps what is left to it. Jobs go past it, from
// the shim to the waiting supervisor, over a socket that they share. When the
// other end of that is closed (the shim is dead, or wants it so) it kills
// everything below it and ends.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace greenroom::runner {

/// The resource limits of all commands, by their names: "nofile", 1024.
using resource_limits = std::vector<std::pair<std::string, std::uint64_t>>;

/// Sets the limits of this process and those it will start. Throws
/// std::runtime_error for a name that is none, else std::system_error.
void limit_resources(const resource_limits& limits);

/// Takes over the process: closes all descriptors above 2 but `requests`,
/// blocks all signals, and sends one byte through `requests` when it is ready.
/// `checkout` is what commands' directories are below.
[[noreturn]] void run_init(int requests, const char* checkout);

} // namespace greenroom::runner
