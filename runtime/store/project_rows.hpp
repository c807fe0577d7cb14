// What sources of this folder besides projects.cpp ask of a project's row.
#pragma once

#include "runtime/store/sql.hpp"

#include <string>

namespace greenroom::store {

/// Keeps a project as it is until the transaction ends: whoever holds it is the
/// only one who judges what lives in it. False where there is none. Where the
/// project has an owner and `as` names another node, that is refused as
/// unavailable.
bool hold_project(connection& c, soci::session& sql, const std::string& id,
                  const std::string& as);

} // namespace greenroom::store
