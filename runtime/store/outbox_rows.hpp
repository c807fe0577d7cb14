// Events of the outbox as rows; for transactions that write sessions.
#pragma once

#include "messages/events.hpp"
#include "runtime/store/sql.hpp"

#include <string>
#include <vector>

namespace greenroom::store {

/// An event's fields as a column: a JSON object. What is of no type that a
/// field can have is left out when it is read.
std::string fields_to_text(const std::vector<event_field>& fields);
std::vector<event_field> fields_from_text(const std::string& text);

/// Adds the events of one change, and removes those of changes long ago.
void add_to_outbox(soci::session& sql, const std::string& session_id,
                   std::uint64_t version,
                   const std::vector<session_event>& events);

void drop_outbox(soci::session& sql, const std::string& session_id);

} // namespace greenroom::store
