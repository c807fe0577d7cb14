// From a runner's exit record to an exec's outcome.
#pragma once

#include "messages/records.hpp"
#include "runtime/runner/protocol/exit_record.hpp"

namespace greenroom {

exec_outcome outcome_of(const exit_record& record);

} // namespace greenroom
