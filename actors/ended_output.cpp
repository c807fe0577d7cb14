#include "actors/ended_output.hpp"

namespace greenroom {

void ended_output::add(const ended_session& session, std::uint64_t bytes) {
  if (!known_.insert(place_of(session)).second || bytes == 0)
    return;
  auto& its = projects_[session.project_id];
  its.sessions.emplace(place_of(session), bytes);
  its.bytes += bytes;
}

std::vector<std::string> ended_output::take_excess() {
  std::vector<std::string> result;
  for (auto& [id, its] : projects_)
    while (its.bytes > limit_) {
      auto oldest = its.sessions.begin();
      its.bytes -= oldest->second;
      result.push_back(oldest->first.second);
      its.sessions.erase(oldest);
    }
  return result;
}

void ended_output::forget_before(unix_ms ended_at) {
  known_.erase(known_.begin(), known_.lower_bound({ended_at, {}}));
}

} // namespace greenroom
