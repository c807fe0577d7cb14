#include "tests/actors/cluster/simulation/actors.hpp"

#include "messages/type_ids.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace greenroom::simulation {

namespace {

struct settings : caf::actor_system_config {
  settings() {
    add_message_types<caf::id_block::greenroom>();
    set("scheduler.policy", caf::atom("testing"));
  }
};

// A process that talks to itself without end is a fault too.
constexpr std::size_t max_jobs = 20'000;

} // namespace

caf::actor_system& actors::system() {
  static settings how;
  // Never destroyed: what its scheduler has at the end it would free twice.
  static auto* all = new caf::actor_system{how};
  return *all;
}

caf::scheduler::test_coordinator& actors::jobs() {
  return dynamic_cast<caf::scheduler::test_coordinator&>(system().scheduler());
}

// What the system itself has to do at first is no part of any history.
actors::actors(stage& world) : stage_(world) {
  while (jobs().try_run_once()) {
  }
  first_ = system().latest_actor_id() + 1;
}

actors::~actors() {
  auto& all = jobs();
  stage_.running = -1;
  // An actor that is left over would tick for ever.
  constexpr int rounds = 1'000;
  for (int i = 0; i < rounds && (all.has_job() || all.has_pending_timeout());
       ++i) {
    while (all.try_run_once()) {
    }
    all.trigger_timeouts();
  }
}

void actors::enter(int node) {
  nodes_.resize(system().latest_actor_id() + 1 - first_, -1);
  stage_.running = node;
}

void actors::leave(int node) {
  nodes_.resize(system().latest_actor_id() + 1 - first_, node);
  stage_.running = -1;
}

int actors::node_of(const caf::resumable* job) const {
  auto* actor = dynamic_cast<const caf::scheduled_actor*>(job);
  if (actor == nullptr || actor->id() < first_
      || actor->id() - first_ >= nodes_.size())
    return -1;
  return nodes_[actor->id() - first_];
}

void actors::run_job(std::size_t index, int node) {
  auto& all = jobs();
  std::swap(all.jobs[index], all.jobs.front());
  if (node < 0) {
    all.run_once();
    return;
  }
  if (auto* actor = dynamic_cast<caf::scheduled_actor*>(all.jobs.front()))
    living_[node].emplace(actor->id(), caf::weak_actor_ptr{actor->ctrl()});
  auto face = stage_.face_of(node);
  show(&face);
  enter(node);
  all.run_once();
  leave(node);
  show(nullptr);
}

void actors::run() {
  auto& all = jobs();
  std::vector<std::pair<std::size_t, int>> ready;
  for (std::size_t n = 0;; ++n) {
    if (n == max_jobs)
      return stage_.rules.require(false,
                                  "actors send each other messages without "
                                  "end");
    ready.clear();
    for (std::size_t i = 0; i < all.jobs.size() && ready.size() < 8; ++i)
      if (auto node = node_of(all.jobs[i]); node < 0 || stage_.runs(node))
        ready.emplace_back(i, node);
    if (ready.empty())
      return;
    auto [index, node] = ready[stage_.luck.below(ready.size())];
    run_job(index, node);
  }
}

// Also those that others make as they end.
void actors::bury(int node) {
  auto& all = jobs();
  do {
    for (auto& [id, actor] : std::exchange(living_[node], {}))
      caf::anon_send_exit(actor, caf::exit_reason::kill);
    for (;;) {
      auto found = std::ranges::find_if(
        all.jobs, [&](auto* job) { return node_of(job) == node; });
      if (found == all.jobs.end())
        break;
      run_job(static_cast<std::size_t>(found - all.jobs.begin()), node);
    }
  } while (!living_[node].empty());
}

void actors::pass(millis time) {
  jobs().advance_time(std::chrono::milliseconds{time});
}

} // namespace greenroom::simulation
