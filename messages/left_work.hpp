// What is said of an ended session's work that could not be saved, and so is
// only in the session's directory, which has to stay.
#pragma once

#include "messages/records.hpp"

#include <string>
#include <string_view>

namespace greenroom {

/// How a note of saved_checkin and saved_rescue begins where that is a part.
inline constexpr std::string_view left_work_note =
  "not all could be saved, and the session's directory stays on its node: ";

inline bool leaves_work(std::string_view note) {
  return note.starts_with(left_work_note);
}

/// Where it is, for status_reason.
inline std::string place_of_work(const std::string& session_id,
                                 const std::string& node) {
  return " and is kept in sessions/" + session_id + "/checkout of node " + node;
}

/// Whether a session's record says that there is some. It may have been dropped
/// there since.
inline bool names_left_work(const session_record& record) {
  return record.status_reason.find(place_of_work(record.id, record.node))
         != std::string::npos;
}

} // namespace greenroom
