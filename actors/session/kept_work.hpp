// What the record of a session says whose work could not be saved when it
// ended, and lies on its node's disk; and what it says once it is saved.
#pragma once

#include "messages/git.hpp"
#include "messages/records.hpp"

#include <string>

namespace greenroom {

/// For status_reason: why, and where the work is.
std::string kept_reason(const std::string& problem,
                        const std::string& session_id, const std::string& node);

/// What a record says of work that could not be saved at all, as above; empty:
/// nothing.
std::string kept_part(const session_record& record);

/// The record with what was saved later, on the same node. Earlier refs stay,
/// but for those that a new one has taken the place of. While something could
/// not be saved (leaves_work), it says on where that is.
session_record rescued_later(session_record record, saved_rescue saved);

} // namespace greenroom
