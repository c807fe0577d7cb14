// An event of a session's life, as its timeline has it.
#pragma once

#include "messages/events.hpp"
#include "messages/records.hpp"
#include "runtime/api_json/session_events.hpp"
#include "runtime/timeline/timeline_entry.hpp"

#include <string_view>

namespace greenroom::journal {

/// `session`: as the change made it that this announces.
inline timeline_entry entry_of(const session_record& session,
                               const session_event& event,
                               std::size_t running_execs,
                               std::string_view preview_url) {
  timeline_entry entry;
  entry.kind = event.kind;
  entry.time = event.time;
  entry.version = event.version;
  entry.data = session_event_json(session, event, running_execs, preview_url);
  return entry;
}

} // namespace greenroom::journal
