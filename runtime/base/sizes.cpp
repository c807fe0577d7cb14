#include "runtime/base/sizes.hpp"

#include <array>
#include <charconv>
#include <limits>

namespace greenroom {

namespace {

struct size_unit {
  std::string_view name;
  std::uint64_t size;
};

// Largest first; the nameless one divides everything.
constexpr std::array<size_unit, 5> size_units{{{"TiB", std::uint64_t{1} << 40},
                                               {"GiB", std::uint64_t{1} << 30},
                                               {"MiB", std::uint64_t{1} << 20},
                                               {"KiB", std::uint64_t{1} << 10},
                                               {"", 1}}};

constexpr std::uint64_t max_size = std::numeric_limits<std::int64_t>::max();

} // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t count = 0;
  auto [end, error] = std::from_chars(text.begin(), text.end(), count);
  if (error != std::errc{})
    return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.begin()));
  for (const auto& known : size_units)
    if (known.name == text) {
      if (count > max_size / known.size)
        return std::nullopt;
      return count * known.size;
    }
  return std::nullopt;
}

std::string format_size(std::uint64_t bytes) {
  std::size_t i = 0;
  while (bytes < size_units[i].size && i + 1 < size_units.size())
    ++i;
  while (bytes % size_units[i].size != 0)
    ++i;
  return std::to_string(bytes / size_units[i].size).append(size_units[i].name);
}

} // namespace greenroom
