#include "actors/base/exec_loads.hpp"

#include "messages/records.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace greenroom {

namespace {

constexpr std::size_t max_named = 5;

} // namespace

template <class Field>
std::string exec_loads::fault(const std::string& who, const std::string& id,
                              Field field, std::uint32_t limit,
                              const char* setting) const {
  if (limit == 0)
    return {};
  std::uint64_t sum = 0;
  std::vector<std::pair<std::uint32_t, const std::string*>> holders;
  for (auto& [session, one] : loads_)
    if (one.of.*field == id) {
      sum += one.now.all;
      holders.emplace_back(one.now.all, &session);
    }
  if (sum < limit)
    return {};
  std::ranges::stable_sort(holders, std::greater<>{},
                           [](auto& one) { return one.first; });
  std::string list;
  for (std::size_t i = 0; i < std::min(holders.size(), max_named); ++i)
    list += (i == 0 ? "" : ", ") + std::to_string(holders[i].first)
            + " in session " + *holders[i].second;
  if (holders.size() > max_named)
    list += " and others";
  return who + " has " + std::to_string(sum)
         + " commands that run or wait, and its limit is "
         + std::to_string(limit) + " (" + setting + "): " + list
         + "; wait until one ends, or cancel one";
}

std::string exec_loads::admit(const whose& session,
                              const std::string& key_name) {
  std::lock_guard guard{mutex_};
  auto why =
    fault("project \"" + session.project_id + '"', session.project_id,
          &whose::project_id, limits_.of_project, "limits.project_execs");
  if (why.empty())
    why = fault(key_in_words(session.key_id, key_name), session.key_id,
                &whose::key_id, limits_.of_key, "limits.key_execs");
  if (why.empty()) {
    auto& one = loads_[session.session_id];
    one.of = session;
    ++one.now.all;
  }
  return why;
}

void exec_loads::set(const whose& session, const load& what) {
  std::lock_guard guard{mutex_};
  if (what == load{})
    loads_.erase(session.session_id);
  else
    loads_[session.session_id] = {session, what};
}

std::uint32_t exec_loads::running_in(const std::string& session_id) const {
  std::lock_guard guard{mutex_};
  auto found = loads_.find(session_id);
  return found == loads_.end() ? 0 : found->second.now.running;
}

std::uint64_t exec_loads::running() const {
  std::lock_guard guard{mutex_};
  std::uint64_t sum = 0;
  for (auto& [session, one] : loads_)
    sum += one.now.running;
  return sum;
}

} // namespace greenroom
