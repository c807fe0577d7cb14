#include "tests/actors/cluster/simulation/store_model.hpp"

#include "actors/cluster/machine/member.hpp"
#include "messages/errors.hpp"

#include <algorithm>
#include <cstdlib>

namespace greenroom::simulation {

namespace {

// See runtime/store/sessions.cpp.
bool collide(const std::string& a, const std::string& b) {
  return a == b || a.starts_with(b + '/') || b.starts_with(a + '/');
}

[[noreturn]] void refuse_stale() {
  throw refused(errc::conflict,
                "the session has been taken over meanwhile, try again");
}

} // namespace

// -- nodes and projects -------------------------------------------------------

millis store_model::left_of(const node_row& row) const {
  return row.lease_until - agenda_->now();
}

void store_model::join(const node_record& node, millis lease) {
  auto& row = nodes_[node.name];
  row.node = node;
  row.lease_until = agenda_->now() + lease;
}

bool store_model::renew(const std::string& name, const std::string& incarnation,
                        millis lease) {
  auto found = nodes_.find(name);
  if (found == nodes_.end() || found->second.node.incarnation != incarnation
      || left_of(found->second) <= 0)
    return false;
  found->second.lease_until = agenda_->now() + lease;
  return true;
}

bool store_model::set_node_state(const std::string& name, node_state state) {
  auto found = nodes_.find(name);
  if (found == nodes_.end())
    return false;
  found->second.node.state = state;
  return true;
}

void store_model::move(session_row& row, const std::string& to) {
  auto& record = row.record;
  ++changes_;
  if (record.node != to)
    row.home_epoch = record.epoch + 1;
  ++record.epoch;
  record.node = to;
}

bool store_model::give(const owner_record& project, const std::string& to) {
  auto found = projects_.find(project.project_id);
  if (found == projects_.end() || found->second.owner != project.node
      || found->second.epoch != project.epoch)
    return false;
  found->second.owner = to;
  ++found->second.epoch;
  for (auto& [id, row] : sessions_)
    if (row.record.project_id == project.project_id
        && is_live(row.record.status))
      move(row, to);
  return true;
}

void store_model::take_over(const std::string& name,
                            const std::string& incarnation,
                            const owner_record& wanted) {
  auto mine = nodes_.find(name);
  if (wanted.node == name || mine == nodes_.end() || left_of(mine->second) <= 0
      || mine->second.node.incarnation != incarnation)
    return;
  auto theirs = nodes_.find(wanted.node);
  if (theirs != nodes_.end()) {
    auto& until = theirs->second.lease_until;
    const auto spared = flaws_.early_takeover ? left_of(mine->second) / 2 : 0;
    if (left_of(theirs->second) > spared)
      return;
    if (!flaws_.early_takeover)
      until = -std::abs(until);
  }
  if (!give(wanted, name) || wanted.node.empty()
      || projects_[wanted.project_id].rules.placement.on_loss
           != node_loss::stop)
    return;
  for (auto& [id, row] : sessions_)
    if (row.record.project_id == wanted.project_id && is_live(row.record.status)
        && row.lost_node.empty())
      row.lost_node = wanted.node;
}

std::vector<lost_session>
store_model::lost_sessions(const std::string& project_id,
                           const std::string& node) const {
  std::vector<lost_session> result;
  for (auto& [id, row] : sessions_)
    if (row.record.project_id == project_id && row.record.node == node
        && is_live(row.record.status) && !row.lost_node.empty())
      result.push_back({id, row.lost_node});
  return result;
}

bool store_model::hand_over(const std::string& as, const owner_record& project,
                            const std::string& to) {
  auto other = nodes_.find(to);
  return project.node == as && other != nodes_.end()
         && left_of(other->second) > 0
         && other->second.node.state == node_state::ready && give(project, to);
}

bool store_model::has_lease(const std::string& node) const {
  auto found = nodes_.find(node);
  return found != nodes_.end() && left_of(found->second) > 0;
}

std::vector<node_record> store_model::nodes() const {
  std::vector<node_record> result;
  for (auto& [name, row] : nodes_) {
    auto one = row.node;
    auto left = left_of(row);
    if (flaws_.early_takeover && left < 3'000)
      left = 0;
    if (left <= 0)
      one.state = node_state::down;
    one.lease_left = std::max<millis>(left, 0);
    one.sessions = static_cast<std::uint32_t>(
      std::ranges::count_if(sessions_, [&](const auto& entry) {
        auto& record = entry.second.record;
        return record.node == name && is_live(record.status);
      }));
    result.push_back(std::move(one));
  }
  return result;
}

std::vector<owner_record> store_model::owners() const {
  std::vector<owner_record> result;
  for (auto& [id, row] : projects_)
    result.push_back({id, row.owner, {}, row.epoch});
  return result;
}

std::map<std::string, placement_rules> store_model::rules() const {
  std::map<std::string, placement_rules> result;
  for (auto& [id, row] : projects_)
    result[id] = row.rules.placement;
  return result;
}

kept_lease store_model::look() const {
  kept_lease result{true, nodes(), owners(), rules()};
  std::map<std::string, millis> lost;
  for (auto& [name, row] : nodes_)
    if (left_of(row) <= 0)
      lost[name] = agenda_->now() - std::abs(row.lease_until);
  std::erase_if(result.owners, [&](const owner_record& owner) {
    auto node = std::ranges::find(result.nodes, owner.node, &node_record::name);
    auto is_free = node == result.nodes.end() || node->lease_left <= 0;
    return is_free
           && cluster::waits_for_owner(owner, result.rules[owner.project_id],
                                       lost);
  });
  return result;
}

owner_record store_model::owner_of(const find_owner& what) const {
  auto id = what.project_id;
  if (auto* row = row_of(what.session_id))
    id = row->record.project_id;
  auto found = projects_.find(id);
  if (found == projects_.end())
    throw refused(errc::not_found, "project not found");
  return {id, found->second.owner, {}, found->second.epoch};
}

project_record store_model::project(const std::string& id) const {
  auto found = projects_.find(id);
  if (found == projects_.end())
    throw refused(errc::not_found, "project not found");
  return found->second.rules;
}

// -- sessions -----------------------------------------------------------------

void store_model::insert_session(const session_record& made,
                                 std::uint32_t max_active) {
  auto project = projects_.find(made.project_id);
  if (project == projects_.end())
    throw refused(errc::not_found, "project not found");
  auto& owner = project->second.owner;
  if (!owner.empty() && owner != made.node)
    throw refused(errc::unavailable, "the project is on another node by now");
  std::set<std::uint32_t> slots;
  bool taken = false;
  for (auto& [id, row] : sessions_)
    if (row.record.project_id == made.project_id
        && is_live(row.record.status)) {
      slots.insert(row.slot);
      taken = taken || collide(row.record.branch, made.branch);
    }
  std::uint32_t slot = 0;
  while (slots.contains(slot))
    ++slot;
  if (!flaws_.no_constraints) {
    if (slot >= max_active)
      throw refused(errc::session_exists, "no slot is free");
    if (taken)
      throw refused(errc::checkout_exists, "the branch is taken");
  }
  if (sessions_.contains(made.id))
    throw refused(errc::conflict, "session exists already");
  ++changes_;
  sessions_[made.id] = {made, slot, made.epoch, {}, {}};
}

void store_model::update_session(const session_record& next,
                                 const std::vector<session_event>& events) {
  auto found = sessions_.find(next.id);
  if (found == sessions_.end())
    refuse_stale();
  auto& row = found->second;
  auto owns =
    row.record.epoch == next.epoch && row.record.version + 1 == next.version;
  if (!owns && !flaws_.no_epoch_check) {
    if (row.record != next)
      refuse_stale();
    return; // it is there already
  }
  rules_->wrote(row.record, next);
  row.record = next;
  ++changes_;
  row.outbox.insert(row.outbox.end(), events.begin(), events.end());
}

session_record store_model::take_session(const std::string& id,
                                         const std::string& node) {
  auto found = sessions_.find(id);
  if (found == sessions_.end())
    throw refused(errc::not_found, "session not found");
  auto& owner = projects_[found->second.record.project_id].owner;
  if (!owner.empty() && owner != node)
    throw refused(errc::not_found, "session not found");
  move(found->second, node);
  return found->second.record;
}

std::vector<session_record>
store_model::take_live_sessions(const std::string& node) {
  std::vector<session_record> result;
  for (auto& [id, row] : sessions_)
    if (row.record.node == node && is_live(row.record.status)) {
      ++row.record.epoch;
      result.push_back(row.record);
    }
  return result;
}

session_record store_model::find_session(const std::string& id) const {
  auto* row = row_of(id);
  if (row == nullptr)
    throw refused(errc::not_found, "session not found");
  return row->record;
}

std::vector<session_record>
store_model::live_sessions(const std::string& project_id) const {
  std::vector<session_record> result;
  for (auto& [id, row] : sessions_)
    if (row.record.project_id == project_id && is_live(row.record.status))
      result.push_back(row.record);
  return result;
}

const store_model::session_row*
store_model::row_of(const std::string& session_id) const {
  auto found = sessions_.find(session_id);
  return found == sessions_.end() ? nullptr : &found->second;
}

std::string store_model::node_of(const std::string& session_id) const {
  auto* row = row_of(session_id);
  return row == nullptr ? std::string{}
                        : projects_.at(row->record.project_id).owner;
}

// -- execs --------------------------------------------------------------------

void store_model::note_exec(const greenroom::note_exec& what) {
  auto found = sessions_.find(what.session_id);
  if (found == sessions_.end())
    return;
  auto& row = found->second;
  if (row.record.epoch != what.epoch)
    refuse_stale();
  auto known = std::ranges::find(row.notes, what.exec_id,
                                 &std::pair<std::string, std::string>::first);
  if (what.json.empty())
    std::erase_if(row.notes,
                  [&](const auto& note) { return note.first == what.exec_id; });
  else if (known != row.notes.end())
    known->second = what.json;
  else
    row.notes.emplace_back(what.exec_id, what.json);
}

std::vector<std::string>
store_model::noted(const std::string& session_id) const {
  std::vector<std::string> result;
  if (auto* row = row_of(session_id))
    for (auto& [exec_id, json] : row->notes)
      result.push_back(json);
  return result;
}

} // namespace greenroom::simulation
