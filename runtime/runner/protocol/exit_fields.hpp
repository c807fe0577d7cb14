// The fields of an exit record inside a larger JSON object: the file and the
// `exited` message have them in common.
#pragma once

#include "runtime/runner/protocol/exit_record.hpp"
#include "runtime/runner/protocol/json_fields.hpp"

namespace greenroom::runner {

void put_exit_fields(nlohmann::json& object, const exit_record& record);

/// Throws bad_field.
exit_record exit_fields(const nlohmann::json& object);

} // namespace greenroom::runner
