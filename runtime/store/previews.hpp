// The settings of sessions' previews, where several nodes share a store: who
// may open which port, and the links that were given out.
#pragma once

#include "runtime/store/connection.hpp"

#include <optional>
#include <string>

namespace greenroom::store {

/// What was kept last for a session.
std::optional<std::string> previews_of(connection& c,
                                       const std::string& session_id);

/// Refused (conflict) where the session is not live at `node`.
void keep_previews(connection& c, const std::string& session_id,
                   const std::string& json, const std::string& node);

} // namespace greenroom::store
