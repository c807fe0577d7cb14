// Runs one program to its end, or until its caller has to stop.
#pragma once

#include "runtime/base/run_command.hpp"

#include <optional>

namespace greenroom {

/// As run_command, but the program and its whole process group are killed once
/// `stop_fd`, which is borrowed, can be read; nullopt then, whatever it had
/// printed. -1: as run_command.
std::optional<command_result> run_until(const command& what, int stop_fd);

} // namespace greenroom
