#include "actors/retention/ended_sizes.hpp"

#include <algorithm>
#include <utility>

namespace greenroom {

bool ended_sizes::knows(const ended_session& one) const {
  auto project = projects_.find(one.project_id);
  if (project == projects_.end())
    return false;
  auto found = project->second.find(one.id);
  return found != project->second.end()
         && found->second.of.ended_at == one.ended_at;
}

void ended_sizes::put(const ended_session& one, ended_size size) {
  projects_[one.project_id].insert_or_assign(one.id, entry{one, size});
}

ended_sizes::excess ended_sizes::take_excess() {
  excess result;
  for (auto& [id, all] : projects_) {
    std::uint64_t bytes = 0;
    for (auto& [session, one] : all)
      bytes += one.size.output + one.size.rest;
    if (bytes <= limit_)
      continue;
    std::vector<entry*> oldest;
    for (auto& [session, one] : all)
      oldest.push_back(&one);
    std::ranges::sort(oldest, {}, [](const entry* one) {
      return std::pair{one->of.ended_at, std::string_view{one->of.id}};
    });
    for (auto* one : oldest)
      if (bytes > limit_ && one->size.output > 0) {
        bytes -= std::exchange(one->size.output, 0);
        result.outputs.push_back(one->of);
      }
    for (auto* one : oldest)
      if (bytes > limit_ && one->size.rest > 0) {
        bytes -= std::exchange(one->size.rest, 0);
        result.sessions.push_back(one->of.id);
      }
  }
  return result;
}

} // namespace greenroom
