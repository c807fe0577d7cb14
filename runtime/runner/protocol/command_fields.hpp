// The fields of a command_spec inside a larger JSON object:
// exec/<eid>/spec.json holds the command, and beside it what the node wants to
// remember of the exec.
#pragma once

#include "runtime/runner/protocol/json_fields.hpp"
#include "runtime/runner/protocol/session_files.hpp"

namespace greenroom::runner {

void put_command_fields(nlohmann::json& object, const command_spec& spec);

} // namespace greenroom::runner
