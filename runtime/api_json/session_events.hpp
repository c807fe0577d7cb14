// Events of a session's life, as clients get them.
#pragma once

#include "messages/events.hpp"
#include "messages/records.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace greenroom {

/// The data of an event that a change of the session announced: the session as
/// it is now, unless it is about a review, and the event's own fields.
std::string session_event_json(const session_record& session,
                               const session_event& event,
                               std::size_t running_execs,
                               std::string_view preview_url);

} // namespace greenroom
