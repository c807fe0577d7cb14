// What would keep a node from starting, found without starting it: the checks
// behind `greenroom config check`.
#pragma once

#include "runtime/config/config.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace greenroom {

/// What the configuration asks for and this version does not have, a sentence
/// each.
std::vector<std::string> not_served(const config& settings);

/// A program that belongs beside this one. Throws std::runtime_error with a
/// sentence where it is missing.
std::filesystem::path program_beside(const char* name);

/// All that `serve` would refuse, a sentence each that names the key; empty:
/// nothing. Leaves no trace. What only a running node takes, a port or the
/// lock of its data directory, is no fault: the configuration may be its own.
/// Blocks for as long as a sandbox takes to start.
std::vector<std::string> start_faults(const config& settings);

} // namespace greenroom
