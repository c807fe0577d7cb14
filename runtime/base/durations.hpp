// Lengths of time as people write them.
//
// Accepted are Go's duration strings (`90s`, `1h30m`, `1.5h`, `250ms`; units
// ns, us, µs, ms, s, m, h) and whole days (`7d`), which do not mix. The result
// is whole milliseconds, rounded down. 0, negative lengths, anything below a
// millisecond and anything beyond 292 years are no durations here.
#pragma once

#include "messages/time.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace greenroom {

inline constexpr millis one_day = 24 * 60 * 60 * 1000;

std::optional<millis> parse_duration(std::string_view text);

/// The longest life that a client may ask for.
inline constexpr millis max_expiry = 30 * one_day;

enum class expiry_verdict {
  ok,
  invalid,  // no duration, or `Nd` with N outside 1-30
  too_long, // any other form over 30 days
};

struct expiry {
  expiry_verdict verdict = expiry_verdict::invalid;
  millis length = 0; // valid for `ok`
};

/// Reads a client's `expires_in`.
expiry parse_expiry(std::string_view text);

/// The shortest text that parse_duration reads back as `length`: `24h`, `30d`,
/// `1h30m`, `250ms`; `0s` for what is not above zero.
std::string format_duration(millis length);

} // namespace greenroom
