// Events of projects as rows; for transactions of this folder.
#pragma once

#include "messages/events.hpp"
#include "messages/operations.hpp"
#include "runtime/store/sql.hpp"

#include <string>

namespace greenroom::store {

/// Gives it its number. Others that add one wait until this transaction is
/// over.
void add_project_event(soci::session& sql, const project_event& what);

/// Of a project that is deleted.
void drop_project_events(soci::session& sql, const std::string& project_id);

} // namespace greenroom::store
