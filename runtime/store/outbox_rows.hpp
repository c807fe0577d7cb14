// Events of the outbox as rows; for transactions that write sessions.
#pragma once

#include "messages/events.hpp"
#include "runtime/store/sql.hpp"

#include <string>
#include <vector>

namespace greenroom::store {

/// Adds the events of one change, and removes those of changes long ago.
void add_to_outbox(soci::session& sql, const std::string& session_id,
                   std::uint64_t version,
                   const std::vector<session_event>& events);

void drop_outbox(soci::session& sql, const std::string& session_id);

} // namespace greenroom::store
