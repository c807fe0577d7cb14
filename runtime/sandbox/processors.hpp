// Which of the node's processors a session's programs run on, and see.
//
// A session is pinned to as many as sandbox.processors says, each to others
// than its neighbours, so that nproc and what asks the kernel as it does count
// no more; what reads /sys/devices/system/cpu/online finds the same. A program
// can leave the pin, so the time that it gets is limited by a control group
// (cgroups.hpp) where there is one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace greenroom::sandbox {

inline constexpr const char* online_processors =
  "/sys/devices/system/cpu/online";

/// Those that this process may use, in order.
std::vector<unsigned> own_processors();

/// `count` of them in the kernel's form, such as "0-1,3"; empty: all.
std::string processors_for(const std::string& session_id, std::uint32_t count,
                           const std::vector<unsigned>& all);

/// A file below `files` (data_dir/sandbox) that says so as the kernel would.
/// Throws std::system_error.
std::filesystem::path made_processors(const std::filesystem::path& files,
                                      const std::string& list);

} // namespace greenroom::sandbox
