// Numbers of bytes as people write them: `100`, `512KiB`, `1MiB`, `2GiB`.
//
// A whole number, alone or followed at once by KiB, MiB, GiB or TiB. The
// decimal units (kB, MB) are refused, since people mean either by them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom {

/// nullopt for anything else, what does not fit in 63 bits included.
std::optional<std::uint64_t> parse_size(std::string_view text);

/// The same in the largest unit that leaves it whole: `1MiB`, `1000`.
std::string format_size(std::uint64_t bytes);

} // namespace greenroom
