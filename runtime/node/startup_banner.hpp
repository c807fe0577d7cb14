// What a newcomer is shown: where the node is, and commands to paste.
#pragma once

#include "runtime/config/config.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace greenroom {

/// Uses the first project of the configuration. `key_file` empty: the key came
/// by the environment.
std::string welcome(const config& settings, std::uint16_t port,
                    const std::filesystem::path& key_file);

} // namespace greenroom
