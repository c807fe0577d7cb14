#include "runtime/config/suggest.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace greenroom {

namespace {

// How many letters have to be changed, added or left out.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    auto diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      auto replaced = diagonal + (a[i] == b[j] ? 0U : 1U);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::string_view last_part(std::string_view path) {
  return path.substr(path.rfind('.') + 1);
}

} // namespace

std::string unknown_key(const std::string& prefix, const std::string& path,
                        const std::vector<std::string_view>& known) {
  std::string_view best;
  // Two slips are a typing error; more are another word.
  std::size_t best_distance = 3;
  auto consider = [&](std::string_view candidate, std::size_t slips) {
    // Closer than the length says: "a" is not a misspelt "id".
    if (slips < best_distance && slips * 2 < candidate.size()) {
      best = candidate;
      best_distance = slips;
    }
  };
  for (auto candidate : known) {
    consider(candidate, distance(path, candidate));
    for (auto dot = candidate.find('.'); dot != std::string_view::npos;
         dot = candidate.find('.', dot + 1))
      consider(candidate.substr(0, dot),
               distance(path, candidate.substr(0, dot)));
    // The right name in the wrong section.
    if (last_part(candidate) == last_part(path))
      consider(candidate, 2);
  }
  auto result = prefix + path + " is not a known key";
  if (!best.empty() && best != path)
    result += "; did you mean " + prefix + std::string{best} + "?";
  return result;
}

} // namespace greenroom
