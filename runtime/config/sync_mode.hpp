// How hard the store tries to keep what it says it has written.
#pragma once

#include <cstdint>

namespace greenroom {

enum class sync_mode : std::uint8_t {
  full,   // an answered write survives a power cut
  normal, // it survives a crash of the program; a power cut may undo the last
};

} // namespace greenroom
