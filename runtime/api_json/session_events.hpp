// Events of a session's life, as clients get them.
#pragma once

#include "messages/events.hpp"
#include "messages/records.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom {

/// Adds an event's own fields to an object.
void add_fields(nlohmann::ordered_json& to,
                const std::vector<event_field>& fields);

/// The data of an event that a change of the session announced: the session as
/// it is now, unless it is about a review, and the event's own fields.
std::string session_event_json(const session_record& session,
                               const session_event& event,
                               std::size_t running_execs,
                               std::string_view preview_url);

/// The same for who is told later, by the event's name: with project and
/// session, and without what the moment only knew, how many commands ran.
nlohmann::ordered_json
session_event_fields(const session_record& session, std::string_view type,
                     const std::vector<event_field>& fields,
                     std::string_view preview_url);

} // namespace greenroom
