// What a runner left behind that was killed together with its supervisors.
//
// Everything that runs for a session has GREENROOM_SESSION_ID in its
// environment, unless it took care not to. This finds such processes; in a
// sandbox there is nothing to find, for they die with their namespace.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace greenroom {

/// Kills every process of our user whose environment has the id of one of the
/// sessions, their runners too, and waits until they have ended, some seconds
/// at most. Returns how many there were. Never kills the caller. Throws
/// std::system_error where /proc cannot be read.
std::size_t kill_orphans(std::span<const std::string> session_ids);

} // namespace greenroom
