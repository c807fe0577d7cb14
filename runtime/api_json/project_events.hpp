// What happened in projects outside their sessions' lives, as clients see it.
#pragma once

#include "messages/operations.hpp"

#include <string>

namespace greenroom {

/// The data of the event, on one line: `time`, `session_id` where it is about
/// one, `project_id`, then its own fields.
std::string project_event_json(const project_event& event);

} // namespace greenroom
