// The outbox: what sessions have announced, kept in one transaction with the
// change that it announces. With it a timeline is completed that a crash or a
// power cut has cut short, whoever then takes the session.
#pragma once

#include "messages/events.hpp"
#include "runtime/store/connection.hpp"

#include <string>
#include <vector>

namespace greenroom::store {

/// Of a session the events of so many last changes are kept.
inline constexpr std::uint64_t kept_changes = 256;

/// The events of a session's last changes, oldest first.
std::vector<session_event> outbox_of(connection& c,
                                     const std::string& session_id);

} // namespace greenroom::store
