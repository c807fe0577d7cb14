// What is noted of execs as rows; for transactions that remove sessions.
#pragma once

#include "runtime/store/sql.hpp"

#include <string>

namespace greenroom::store {

void drop_execs(soci::session& sql, const std::string& session_id);

} // namespace greenroom::store
