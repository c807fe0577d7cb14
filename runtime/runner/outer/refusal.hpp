// The sentence that tells a user why a command could not be started.
#pragma once

#include "runtime/runner/inner/exec_supervisor.hpp"
#include "runtime/runner/protocol/session_files.hpp"

#include <string>

namespace greenroom::runner {

std::string why_not_started(start_step step, int error,
                            const command_spec& spec);

} // namespace greenroom::runner
