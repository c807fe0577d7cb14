#include "actors/ended_output.hpp"

namespace greenroom {

void ended_output::add(const ended_session& session, ended_size size) {
  if (!known_.insert(place_of(session)).second)
    return;
  auto& its = projects_[session.project_id];
  if (size.output > 0)
    its.outputs.emplace(place_of(session), size.output);
  if (size.rest > 0)
    its.rests.emplace(place_of(session), size.rest);
  its.bytes += size.output + size.rest;
}

void ended_output::take_oldest(std::map<place, std::uint64_t>& from,
                               std::uint64_t& bytes, std::uint64_t limit,
                               std::vector<std::string>& to) {
  while (bytes > limit && !from.empty()) {
    auto oldest = from.begin();
    bytes -= oldest->second;
    to.push_back(oldest->first.second);
    from.erase(oldest);
  }
}

ended_output::excess ended_output::take_excess() {
  excess result;
  for (auto& [id, its] : projects_) {
    take_oldest(its.outputs, its.bytes, limit_, result.outputs);
    take_oldest(its.rests, its.bytes, limit_, result.sessions);
  }
  return result;
}

void ended_output::forget_before(unix_ms ended_at) {
  known_.erase(known_.begin(), known_.lower_bound({ended_at, {}}));
}

} // namespace greenroom
