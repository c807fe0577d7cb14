#include "actors/cluster/machine/drain.hpp"

#include "actors/cluster/machine/member.hpp"
#include "actors/cluster/machine/releases.hpp"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

namespace greenroom::cluster {

namespace {

// Of those alike, the one whose processors are less busy.
bool takes_rather(const node_record& a, const node_record& b) {
  return std::tuple{fullness_of(a), a.load, std::string_view{a.name}}
         < std::tuple{fullness_of(b), b.load, std::string_view{b.name}};
}

} // namespace

bool can_take(const node_record& node) {
  return node.state == node_state::ready && node.lease_left > 0
         && node.reachable;
}

std::map<std::string, std::string>
destinations(const std::string& leaving, std::vector<node_record> nodes,
             std::vector<project_load> projects) {
  const auto version = version_of(leaving, nodes);
  std::erase_if(nodes, [&](const node_record& node) {
    return node.name == leaving || !can_take(node);
  });
  std::map<std::string, std::string> result;
  if (nodes.empty())
    return result;
  std::ranges::sort(projects, [](const project_load& a, const project_load& b) {
    return std::tie(b.sessions, a.project_id)
           < std::tie(a.sessions, b.project_id);
  });
  for (auto& project : projects) {
    node_record* next = nullptr;
    for (auto& node : nodes)
      if (has_labels(node, project.rules.labels)
          && can_read(node, project.rules, version)
          && (next == nullptr || takes_rather(node, *next)))
        next = &node;
    if (next == nullptr)
      continue; // it stays where it is
    next->sessions += static_cast<std::uint32_t>(project.sessions);
    result[project.project_id] = next->name;
  }
  return result;
}

std::string home_of_new(const std::string& here,
                        const std::vector<node_record>& nodes,
                        const string_map& labels) {
  const node_record* best = nullptr;
  const auto version = version_of(here, nodes);
  for (auto& node : nodes) {
    if (!can_take(node) || !has_labels(node, labels)
        || is_older(node.version, version))
      continue;
    auto better =
      best == nullptr || fullness_of(node) < fullness_of(*best)
      || (fullness_of(node) == fullness_of(*best) && node.name == here);
    if (better)
      best = &node;
  }
  return best == nullptr ? std::string{} : best->name;
}

packing packing_of(const std::vector<moving_session>& sessions, bool is_late) {
  auto waits = std::ranges::any_of(
    sessions, [](const auto& one) { return !one.waits_for.empty(); });
  if (!waits)
    return packing::in_turn;
  return is_late ? packing::at_once : packing::wait;
}

} // namespace greenroom::cluster
