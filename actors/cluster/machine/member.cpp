#include "actors/cluster/machine/member.hpp"

#include "actors/cluster/machine/releases.hpp"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

namespace greenroom::cluster {

namespace {

// Asked again so much sooner where the store did not say.
constexpr millis asks_in_a_third = 4;

millis age(const member& m, millis now) {
  return now - m.kept_since;
}

standing standing_at(const member& m, millis now) {
  if (m.at == standing::joining)
    return standing::joining;
  if (age(m, now) >= m.lease * 2 / 3 + m.delay)
    return standing::stopped;
  return age(m, now) >= m.lease / 2 ? standing::silent : standing::owning;
}

void move_to(member& m, standing next, effects& out) {
  const auto before = m.at;
  m.at = next;
  const bool spoke = before == standing::owning;
  const bool ran = spoke || before == standing::silent;
  if (spoke && next != standing::owning)
    out.push_back(fall_silent{});
  if (ran && (next == standing::stopped || next == standing::joining))
    out.push_back(stop_sandboxes{});
  if (!spoke && next == standing::owning)
    out.push_back(speak_again{});
}

void ask(member& m, millis now, const std::string& fresh_id, effects& out) {
  if (m.asking || now < m.next_ask)
    return;
  m.asking = true;
  if (m.at != standing::joining) {
    out.push_back(renew{m.incarnation});
    return;
  }
  if (m.incarnation.empty())
    m.incarnation = fresh_id;
  out.push_back(join{m.incarnation});
}

// What was lost is let go of before what is new is taken up.
void compare_owned(member& m, const std::vector<owner_record>& owners,
                   effects& out) {
  std::map<std::string, std::uint64_t> now;
  for (auto& one : owners)
    if (one.node == m.node)
      now[one.project_id] = one.epoch;
  for (auto& [id, epoch] : m.owned)
    if (auto found = now.find(id); found == now.end() || found->second != epoch)
      out.push_back(release{id});
  for (auto& one : owners)
    if (one.node == m.node) {
      auto known = m.owned.find(one.project_id);
      if (known == m.owned.end() || known->second != one.epoch)
        out.push_back(adopt{one});
    }
  m.owned = std::move(now);
}

// All but what changes with every renewal.
bool look_alike(const node_record& a, const node_record& b) {
  auto tied = [](const node_record& x) {
    return std::tie(x.name, x.incarnation, x.address, x.http, x.version,
                    x.labels, x.state);
  };
  return tied(a) == tied(b);
}

void compare_nodes(member& m, const std::vector<node_record>& nodes,
                   effects& out) {
  if (!std::ranges::equal(m.nodes, nodes, look_alike))
    out.push_back(announce{nodes});
  m.nodes = nodes;
}

bool is_ready(const node_record& node) {
  return node.state == node_state::ready && node.lease_left > 0;
}

bool is_emptier(const node_record& a, const node_record& b) {
  return std::pair{fullness_of(a), std::string_view{a.name}}
         < std::pair{fullness_of(b), std::string_view{b.name}};
}

} // namespace

bool may_acknowledge(const member& m, millis now) {
  return m.at == standing::owning && standing_at(m, now) == standing::owning;
}

effects apply(member& m, const ticked& x) {
  effects out;
  move_to(m, standing_at(m, x.now), out);
  ask(m, x.now, x.fresh_id, out);
  return out;
}

effects apply(member& m, const hinted& x) {
  m.next_ask = std::min(m.next_ask, x.now);
  return {};
}

effects apply(member& m, const answered& x) {
  effects out;
  m.asking = false;
  if (x.result == outcome::unknown) {
    m.next_ask = x.now + m.lease / 3 / asks_in_a_third;
    // Again: what stood still may have begun something meanwhile.
    if (m.at == standing::stopped)
      out.push_back(stop_sandboxes{});
    move_to(m, standing_at(m, x.now), out);
    return out;
  }
  if (x.result == outcome::lost) {
    m.incarnation.clear();
    m.next_ask = x.now;
    move_to(m, standing::joining, out);
    return out;
  }
  m.kept_since = x.begun;
  m.delay = x.delay;
  m.next_ask = x.begun + m.lease / 3;
  // Before anybody may be told anything, what is another's by now is let go.
  compare_owned(m, x.owners, out);
  if (m.at == standing::joining)
    m.at = standing::stopped; // as far as others can tell
  move_to(m, standing_at(m, x.now), out);
  compare_nodes(m, x.nodes, out);
  if (m.at == standing::owning)
    if (auto share = share_of(m.node, x.nodes, x.owners, x.rules);
        !share.empty()) {
      out.push_back(take_over{std::move(share)});
      m.next_ask = x.now; // to see what came of it
    }
  return out;
}

bool has_labels(const node_record& node, const string_map& wanted) {
  return std::ranges::all_of(wanted, [&](const auto& label) {
    auto found = node.labels.find(label.first);
    return found != node.labels.end() && found->second == label.second;
  });
}

bool waits_for_owner(const owner_record& owner, const placement_rules& rules,
                     const std::map<std::string, millis>& lost) {
  auto found = lost.find(owner.node);
  if (found == lost.end())
    return false;
  return rules.on_loss == node_loss::wait || found->second < rules.delay;
}

millis delay_of(const std::string& node,
                const std::vector<owner_record>& owners,
                const std::map<std::string, placement_rules>& rules) {
  auto result = longest_delay;
  bool owns = false;
  for (auto& owner : owners) {
    if (owner.node != node)
      continue;
    owns = true;
    auto rule = rules.find(owner.project_id);
    if (rule == rules.end())
      return 0;
    if (rule->second.on_loss != node_loss::wait)
      result = std::min(result, rule->second.delay);
  }
  return owns ? result : 0;
}

fullness fullness_of(const node_record& node) {
  return {node.load >= busy_load, node.sessions};
}

std::string roomiest(const std::vector<node_record>& nodes,
                     const placement_rules& rules, std::string_view version) {
  const node_record* best = nullptr;
  for (auto& node : nodes)
    if (is_ready(node) && has_labels(node, rules.labels)
        && can_read(node, rules, version)
        && (best == nullptr || is_emptier(node, *best)))
      best = &node;
  return best == nullptr ? std::string{} : best->name;
}

std::vector<owner_record>
share_of(const std::string& node, std::vector<node_record> nodes,
         const std::vector<owner_record>& owners,
         const std::map<std::string, placement_rules>& rules) {
  std::vector<owner_record> share;
  const auto version = version_of(node, nodes);
  for (auto& project : owners) {
    auto owner = std::ranges::find(nodes, project.node, &node_record::name);
    if (owner != nodes.end() && owner->lease_left > 0)
      continue;
    auto rule = rules.find(project.project_id);
    auto wanted = rule == rules.end() ? placement_rules{} : rule->second;
    auto next = std::ranges::find(nodes, roomiest(nodes, wanted, version),
                                  &node_record::name);
    if (next == nodes.end())
      continue;       // none has what it asks for, or can read it
    ++next->sessions; // as if it were one
    if (next->name == node)
      share.push_back(project);
  }
  return share;
}

} // namespace greenroom::cluster
