// The outbox of what happens in projects outside their sessions' lives: a
// review that goes on once its session has ended, a webhook that is disabled.
//
// No timeline has these, so who watches several sessions reads them here, by
// their number. Each is written in one transaction with the change that it
// tells of, and numbers grow in the order in which those became visible.
#pragma once

#include "messages/operations.hpp"
#include "runtime/store/connection.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace greenroom::store {

/// A list gives at most so many.
inline constexpr std::size_t project_event_page = 256;

/// So many of the newest are kept for who comes back.
inline constexpr std::uint64_t kept_project_events = 10'000;

/// The number of the newest that ever was; 0: none.
std::uint64_t last_project_event(connection& c);

/// Those after `what.events_after`, oldest first, of the projects and sessions
/// that `what` names; of all, where it names none.
std::vector<project_event>
project_events_after(connection& c, const greenroom::find_live& what);

/// Removes all but the newest kept_project_events.
void trim_project_events(connection& c);

} // namespace greenroom::store
