#include "actors/cluster/machine/releases.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace greenroom::cluster {

namespace {

using release_numbers = std::array<unsigned, 3>;

// What follows the numbers, as "-rc1", does not count.
std::optional<release_numbers> numbers_of(std::string_view version) {
  release_numbers result{};
  auto* at = version.data();
  auto* end = at + version.size();
  for (auto& number : result) {
    if (&number != result.data()) {
      if (at == end || *at != '.')
        return std::nullopt;
      ++at;
    }
    auto read = std::from_chars(at, end, number);
    if (read.ec != std::errc{})
      return std::nullopt;
    at = read.ptr;
  }
  return result;
}

} // namespace

bool is_older(std::string_view version, std::string_view other) {
  auto numbers = numbers_of(version);
  auto others = numbers_of(other);
  return numbers && others && *numbers < *others;
}

std::string version_of(const std::string& node,
                       const std::vector<node_record>& nodes) {
  auto found = std::ranges::find(nodes, node, &node_record::name);
  return found == nodes.end() ? std::string{} : found->version;
}

bool can_read(const node_record& node, const placement_rules& rules,
              std::string_view version) {
  return rules == placement_rules{} || !is_older(node.version, version);
}

} // namespace greenroom::cluster
