// The settings of previews as rows; for transactions that remove sessions.
#pragma once

#include "runtime/store/sql.hpp"

#include <string>

namespace greenroom::store {

void drop_previews(soci::session& sql, const std::string& session_id);

} // namespace greenroom::store
