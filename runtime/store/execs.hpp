// What is noted of the commands of sessions, where several nodes share a store:
// whoever goes on with a session knows by it which ran when its node was lost.
//
// Not a promise of durability: the timeline of the session's node is that. Only
// the commands are noted that a session has at hand.
#pragma once

#include "messages/moving.hpp"
#include "runtime/store/connection.hpp"

#include <string>
#include <vector>

namespace greenroom::store {

/// Notes how an exec stands, or forgets it. False, and nothing happens, where
/// another actor has taken the session since.
bool note_exec(connection& c, const greenroom::note_exec& what);

/// What is noted of a session's execs, oldest first.
std::vector<std::string> noted_execs(connection& c,
                                     const std::string& session_id);

} // namespace greenroom::store
