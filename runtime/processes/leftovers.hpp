// What a runner left behind that was killed together with its keepers.
//
// Everything that runs for a session has GREENROOM_SESSION_ID in its
// environment, unless it took care not to. This finds such processes; in a
// sandbox there is nothing to find, for they die with their namespace.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace greenroom {

/// Kills every process of our user whose environment has the session's id, its
/// runner too, and waits until they have ended. Returns how many there were.
/// Never kills the caller. Throws std::system_error where /proc cannot be read.
std::size_t kill_leftovers(std::string_view session_id);

/// The same for many sessions, with one look at the host's processes.
std::size_t kill_leftovers(std::span<const std::string> session_ids);

} // namespace greenroom
