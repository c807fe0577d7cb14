#include "actors/git/question_turns.hpp"

#include <algorithm>
#include <tuple>

namespace greenroom {

std::optional<std::size_t> next_to_ask(const std::vector<asking_project>& all,
                                       std::size_t free) {
  // One whose turn was just now is in line from then on, however long the rest
  // of what it asks has waited.
  auto next = std::ranges::min_element(all, {}, [](const asking_project& one) {
    return std::tuple{one.running, std::max(one.since, one.ended), one.ended};
  });
  if (next == all.end() || free == 0 || (free == 1 && next->running > 0))
    return std::nullopt;
  return static_cast<std::size_t>(next - all.begin());
}

std::optional<std::size_t>
next_to_end(const std::vector<running_question>& all,
            const std::vector<asking_project>& waiting, std::size_t free) {
  auto has_none = [](const asking_project& one) { return one.running == 0; };
  if (free > 0 || all.empty() || std::ranges::none_of(waiting, has_none))
    return std::nullopt;
  auto before = [](const running_question& a, const running_question& b) {
    return std::tuple{b.of_its_project, a.began}
           < std::tuple{a.of_its_project, b.began};
  };
  return static_cast<std::size_t>(std::ranges::min_element(all, before)
                                  - all.begin());
}

} // namespace greenroom
