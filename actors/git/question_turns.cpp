#include "actors/git/question_turns.hpp"

#include <algorithm>
#include <tuple>

namespace greenroom {

std::optional<std::size_t> next_to_ask(const std::vector<asking_project>& all,
                                       std::size_t free) {
  auto next = std::ranges::min_element(all, {}, [](const asking_project& one) {
    return std::tuple{one.running, one.since};
  });
  if (next == all.end() || free == 0 || (free == 1 && next->running > 0))
    return std::nullopt;
  return static_cast<std::size_t>(next - all.begin());
}

} // namespace greenroom
