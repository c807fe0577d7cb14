#include "runtime/base/durations.hpp"

#include <array>
#include <cstdint>
#include <limits>

namespace greenroom {

namespace {

// Nanoseconds, as Go counts, and with Go's limit.
using nanos = std::uint64_t;
constexpr nanos max_nanos = std::numeric_limits<std::int64_t>::max();
constexpr nanos nanos_per_milli = 1'000'000;

struct unit {
  std::string_view name;
  nanos length;
};

// The micro sign and the Greek letter mu both mean micro.
constexpr std::array<unit, 8> units{{{"ns", 1},
                                     {"us", 1'000},
                                     {"\u00b5s", 1'000},
                                     {"\u03bcs", 1'000},
                                     {"ms", nanos_per_milli},
                                     {"s", 1'000'000'000},
                                     {"m", 60'000'000'000},
                                     {"h", 3'600'000'000'000}}};

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

std::string_view take_digits(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && is_digit(text[size]))
    ++size;
  auto result = text.substr(0, size);
  text.remove_prefix(size);
  return result;
}

std::optional<nanos> to_number(std::string_view digits) {
  nanos result = 0;
  for (char c : digits) {
    auto digit = static_cast<nanos>(c - '0');
    if (result > (max_nanos - digit) / 10)
      return std::nullopt;
    result = result * 10 + digit;
  }
  return result;
}

std::optional<nanos> take_unit(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && text[size] != '.' && !is_digit(text[size]))
    ++size;
  auto name = text.substr(0, size);
  text.remove_prefix(size);
  for (const auto& known : units)
    if (known.name == name)
      return known.length;
  return std::nullopt;
}

// The fraction's part of a unit, as Go computes it: digits beyond what a
// number holds are too small to matter.
nanos fraction_of(nanos length, std::string_view digits) {
  nanos value = 0;
  long double scale = 1;
  for (char c : digits.substr(0, 18)) {
    value = value * 10 + static_cast<nanos>(c - '0');
    scale *= 10;
  }
  return static_cast<nanos>(static_cast<long double>(value)
                            * (static_cast<long double>(length) / scale));
}

std::optional<nanos> parse_go(std::string_view text) {
  if (text.starts_with('+'))
    text.remove_prefix(1);
  if (text.empty())
    return std::nullopt;
  nanos total = 0;
  while (!text.empty()) {
    auto whole = take_digits(text);
    std::string_view fraction;
    if (text.starts_with('.')) {
      text.remove_prefix(1);
      fraction = take_digits(text);
    }
    if (whole.empty() && fraction.empty())
      return std::nullopt;
    auto count = to_number(whole);
    auto length = take_unit(text);
    if (!count || !length || *count > max_nanos / *length)
      return std::nullopt;
    // Each of the two is at most 2^63, so neither sum wraps.
    auto part = *count * *length + fraction_of(*length, fraction);
    if (part > max_nanos || total + part > max_nanos)
      return std::nullopt;
    total += part;
  }
  return total;
}

bool is_days(std::string_view text) noexcept {
  if (!text.ends_with('d'))
    return false;
  text.remove_suffix(1);
  return !text.empty() && take_digits(text).size() > 0 && text.empty();
}

std::optional<nanos> parse_days(std::string_view text) {
  constexpr auto day = static_cast<nanos>(one_day) * nanos_per_milli;
  auto count = to_number(text.substr(0, text.size() - 1));
  if (!count || *count > max_nanos / day)
    return std::nullopt;
  return *count * day;
}

} // namespace

std::optional<millis> parse_duration(std::string_view text) {
  auto length = is_days(text) ? parse_days(text) : parse_go(text);
  if (!length || *length < nanos_per_milli)
    return std::nullopt;
  return static_cast<millis>(*length / nanos_per_milli);
}

expiry parse_expiry(std::string_view text) {
  auto length = parse_duration(text);
  if (!length)
    return {expiry_verdict::invalid, 0};
  if (*length <= max_expiry)
    return {expiry_verdict::ok, *length};
  return {is_days(text) ? expiry_verdict::invalid : expiry_verdict::too_long,
          0};
}

std::string format_duration(millis length) {
  if (length <= 0)
    return "0s";
  if (length > one_day && length % one_day == 0)
    return std::to_string(length / one_day) + "d";
  struct step {
    const char* name;
    millis length;
  };
  constexpr std::array<step, 4> steps{
    {{"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
  std::string result;
  for (const auto& [name, size] : steps) {
    if (length >= size)
      result += std::to_string(length / size) + name;
    length %= size;
  }
  return result;
}

} // namespace greenroom
