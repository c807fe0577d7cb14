#include "tests/actors/cluster/simulation/world.hpp"

#include "tests/actors/cluster/simulation/runner.hpp"

#include <caf/event_based_actor.hpp>

#include <algorithm>

namespace greenroom::simulation {

namespace {

constexpr std::size_t node_count = 3;
constexpr millis bad_times = 6 * lease;
constexpr millis good_times = 4 * lease;
constexpr millis last_answers = 3'000;

std::string to_text(const std::vector<std::uint64_t>& versions) {
  std::string result;
  for (auto version : versions)
    result += (result.empty() ? "" : " ") + std::to_string(version);
  return result.empty() ? "none" : result;
}

project_record project(const std::string& id, chance& luck) {
  project_record result;
  result.id = id;
  result.repo = "/upstream/" + id;
  result.max_active_sessions = 2;
  if (luck.one_in(3))
    result.placement.delay = luck.between(0, lease);
  if (luck.one_in(3))
    result.placement.on_loss =
      luck.one_in(2) ? node_loss::wait : node_loss::stop;
  return result;
}

} // namespace

world::world(std::uint64_t seed, flaws planted)
  : stage_(seed, planted, node_count), actors_(stage_),
    clients_(stage_, [this](int node) {
      return processes_[static_cast<std::size_t>(node)].get();
    }) {
  for (auto id : {"p", "q"})
    stage_.store.add_project(project(id, stage_.luck));
  processes_.resize(node_count);
  for (int node = 0; node < static_cast<int>(node_count); ++node)
    start(node);
}

world::~world() {
  processes_.clear();
  stage_.when.clear();
}

std::string world::run() {
  if (!goes_on_until(bad_times))
    return stage_.rules.wrong();
  calm_down();
  if (!goes_on_until(bad_times + good_times / 2))
    return stage_.rules.wrong();
  clients_.create_again();
  if (!goes_on_until(bad_times + good_times))
    return stage_.rules.wrong();
  if (auto fault = out_of_order(); !fault.empty())
    return fault;
  clients_.ask_again();
  if (!goes_on_until(stage_.when.now() + last_answers))
    return stage_.rules.wrong();
  return clients_.unanswered();
}

bool world::goes_on_until(millis when) {
  while (stage_.when.now() < when && stage_.rules.wrong().empty())
    step();
  return stage_.rules.wrong().empty();
}

void world::step() {
  auto time = stage_.luck.between(10, stage_.calm ? 120 : 70);
  stage_.when.advance(stage_.when.now() + time);
  actors_.pass(time);
  if (!stage_.calm) {
    misfortune();
    clients_.act();
  }
  actors_.run();
  for (int node = 0; node < static_cast<int>(node_count); ++node)
    if (auto& one = processes_[static_cast<std::size_t>(node)];
        one && stage_.runs(node)) {
      one->apply_flaws();
      auto& name = stage_.machines[static_cast<std::size_t>(node)].name;
      stage_.rules.speaks(name, one->speaks());
      if (one->has_failed())
        kill(node);
    }
  look_at_runners(stage_);
  stage_.rules.check();
}

// -- what happens to nodes ----------------------------------------------------

void world::misfortune() {
  auto& luck = stage_.luck;
  auto node = static_cast<int>(luck.below(node_count));
  auto& one = stage_.machines[static_cast<std::size_t>(node)];
  if (luck.one_in(200) && stage_.runs(node))
    one.paused_until = stage_.when.now() + luck.between(1, 2 * lease);
  if (luck.one_in(300) && one.is_up)
    kill(node);
  if (luck.one_in(120)) {
    site other =
      luck.one_in(2) ? the_store : static_cast<int>(luck.below(node_count));
    auto until = stage_.when.now() + luck.between(1, 2 * lease);
    if (luck.one_in(2))
      stage_.links.cut(node, other, until);
    else
      stage_.links.cut(other, node, until);
  }
}

// A node begins with the store, and tries again where that is away.
void world::start(int node) {
  auto& place = processes_[static_cast<std::size_t>(node)];
  if (place)
    return;
  if (stage_.links.is_cut(node, the_store)
      || stage_.links.is_cut(the_store, node))
    stage_.when.in(500, [this, node] { start(node); });
  else
    place = std::make_unique<process>(stage_, actors_, node);
}

void world::kill(int node) {
  processes_[static_cast<std::size_t>(node)].reset();
  auto pause = stage_.calm ? 50 : stage_.luck.between(50, 2 * lease);
  stage_.when.in(pause, [this, node] { start(node); });
}

void world::calm_down() {
  stage_.calm = true;
  stage_.links.mend();
  for (int node = 0; node < static_cast<int>(node_count); ++node) {
    stage_.machines[static_cast<std::size_t>(node)].paused_until = 0;
    start(node);
    auto& there = processes_[static_cast<std::size_t>(node)];
    there->serve([&there](caf::event_based_actor* self) {
      self->request(there->member(), caf::infinite, resume_node{})
        .then([](const drain_plan&) {}, [](const caf::error&) {});
    });
  }
}

// -- what is to be in order after that ----------------------------------------

std::string world::out_of_order() const {
  for (auto& [id, row] : stage_.store.projects()) {
    auto owner = std::ranges::find(stage_.machines, row.owner, &machine::name);
    if (owner == stage_.machines.end() || !owner->is_up)
      return "nobody serves project " + id;
  }
  for (auto& [id, row] : stage_.store.sessions())
    if (is_live(row.record.status))
      if (auto fault = out_of_order(id, row); !fault.empty())
        return fault;
  return {};
}

// All that was ever announced with a change is in the timeline of who has the
// session, once and in its order.
std::string world::out_of_order(const std::string& session_id,
                                const store_model::session_row& row) const {
  auto owner =
    std::ranges::find(stage_.machines, row.record.node, &machine::name);
  if (owner == stage_.machines.end())
    return "session " + session_id + " is on no node";
  if (!row.lost_node.empty())
    return "session " + session_id + " was to end with node " + row.lost_node;
  if (row.record.status == session_status::creating)
    return "session " + session_id + " is never made";
  std::vector<std::uint64_t> wanted;
  for (auto& event : row.outbox)
    wanted.push_back(event.version);
  std::vector<std::uint64_t> there;
  if (auto disk = owner->disks.find(session_id); disk != owner->disks.end())
    for (auto& entry : disk->second.timeline)
      if (entry.version != 0)
        there.push_back(entry.version);
  if (wanted == there)
    return {};
  return "session " + session_id + ": its timeline on node " + owner->name
         + " has changes " + to_text(there) + ", and the store "
         + to_text(wanted);
}

} // namespace greenroom::simulation
