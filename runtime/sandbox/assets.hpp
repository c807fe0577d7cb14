// The files that all sandboxes of a node share: what of /etc is not the host's
// (etc_copy.hpp has the rest), the seccomp filter, and for a node that is root
// some devices. And beside them a repository without anything in it, which no
// sandbox sees: what git says of it is what it says of any.
//
// Written below data_dir/sandbox at each start of the node, before any session
// is opened. A running session keeps those that it began with.
#pragma once

#include "runtime/base/session_user.hpp"

#include <array>
#include <filesystem>
#include <string>
#include <vector>

namespace greenroom::sandbox {

/// Who sessions' programs take themselves for, user and group alike.
inline constexpr int user_id = user_inside;
inline constexpr const char* host_name_inside = "greenroom";

/// `files` is data_dir/sandbox. Throws std::system_error.
void write_made_files(const std::filesystem::path& files);

/// Those of them that lie in /etc, in made_etc().
std::vector<std::string> made_names();

/// The devices of /dev, except terminals. A node that runs as root makes them
/// anew for sessions that have no user of their own: the host's would be
/// theirs, to change the modes of; these belong to nobody.
inline constexpr std::array device_names{"null",   "zero",    "full",
                                         "random", "urandom", "tty"};

/// False where there are none: the node is not root, or may not make them.
bool has_devices(const std::filesystem::path& files);

/// Where the parts are.
std::filesystem::path made_etc(const std::filesystem::path& files);
std::filesystem::path made_devices(const std::filesystem::path& files);
std::filesystem::path made_seccomp(const std::filesystem::path& files);
std::filesystem::path made_repository(const std::filesystem::path& files);

} // namespace greenroom::sandbox
