// The output of all commands of a session that is over, given up to make room.
#pragma once

#include <cstdint>
#include <filesystem>

namespace greenroom {

/// How much a session's directory holds of what commands printed, as the file
/// system counts it; 0 where it was dropped, or there is no such directory.
std::uint64_t size_of_output(const std::filesystem::path& session_dir);

/// Removes all of it, logs, intents and exit records; nothing there is no
/// error. The timeline stays, with which events of output say `lost`. For
/// sessions that are over: nothing may be written there meanwhile. Readers of a
/// log see its end. Throws std::system_error; calling it again goes on.
void drop_output(const std::filesystem::path& session_dir);

/// Whether that was done, or at least begun.
bool is_output_dropped(const std::filesystem::path& session_dir) noexcept;

} // namespace greenroom
