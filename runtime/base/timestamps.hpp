// Points in time as clients see them: RFC 3339 in UTC.
#pragma once

#include "messages/time.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace greenroom {

/// "2026-11-23T00:11:47.123Z". Points outside the years 0000-9999, which the
/// form cannot express, become its first or last one.
std::string format_rfc3339(unix_ms time);

/// Reads what format_rfc3339 writes, and the rest of RFC 3339: any number of
/// digits after the point (those below a millisecond are cut off) and offsets
/// other than Z. nullopt for anything else, dates that do not exist included.
std::optional<unix_ms> parse_rfc3339(std::string_view text);

} // namespace greenroom
