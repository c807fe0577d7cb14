#include "tests/actors/cluster/simulation/process.hpp"

#include "actors/cluster/lost_sessions.hpp"
#include "actors/cluster/member.hpp"
#include "actors/directory.hpp"
#include "actors/supervisor.hpp"
#include "tests/actors/cluster/simulation/journal.hpp"
#include "tests/actors/cluster/simulation/runner.hpp"
#include "tests/actors/cluster/simulation/services.hpp"

#include <caf/actor_cast.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace greenroom::simulation {

namespace {

using requests = std::unordered_map<std::uint64_t, process::request>;

// Watchers of sessions are its, too.
caf::behavior edge(caf::event_based_actor* self,
                   std::shared_ptr<requests> waiting) {
  return {[self, waiting](std::uint64_t number) {
    if (auto found = waiting->extract(number))
      found.mapped()(self);
  }};
}

} // namespace

process::process(stage& world, actors& all, int node)
  : stage_(world), actors_(all), node_(node) {
  auto& here = stage_.machines[static_cast<std::size_t>(node)];
  here.is_up = true;
  ++here.life;
  here.paused_until = 0;
  here.disk_work.clear();
  incarnation_ = here.name + std::to_string(here.life);
  auto face = stage_.face_of(node);
  show(&face);
  actors_.as(node, [this] { start_actors(); });
  show(nullptr);
}

process::~process() {
  stage_.machines[static_cast<std::size_t>(node_)].is_up = false;
  for (auto& part : parts_)
    caf::anon_send_exit(part, caf::exit_reason::kill);
  actors_.bury(node_);
  for (auto& [id, runner] :
       stage_.machines[static_cast<std::size_t>(node_)].runners)
    runner.user = runner_user_actor{};
}

void process::start_actors() {
  auto& here = stage_.machines[static_cast<std::size_t>(node_)];
  auto& system = actors::system();
  runners_ = runners_on(stage_, node_);
  journals_ = keep_in_memory(stage_, node_);
  services_ = keep(caf::actor_cast<caf::actor>(
    system.spawn(services, service_options{&stage_, node_, incarnation_,
                                           [this] { renewed_ = true; }})));
  edge_ = keep(caf::actor_cast<caf::actor>(system.spawn(edge, requests_)));
  if (stage_.planted.always_speaks)
    gate_ = std::make_shared<lease_gate>();

  // A start waits for the store.
  node_record row;
  row.name = here.name;
  row.incarnation = incarnation_;
  stage_.store.join(row, lease);
  std::vector<owner_record> owned;
  std::vector<project_record> projects;
  for (auto& one : stage_.store.owners())
    if (one.node == here.name) {
      owned.push_back(one);
      projects.push_back(stage_.store.project(one.project_id));
    }

  auto& c = *context_;
  c.node = here.name;
  c.data_dir = "/nowhere";
  c.shell = {"/bin/sh", "-c"};
  c.max_concurrent = 2;
  c.max_queued = 4;
  c.checkpoint_every = 5'000;
  c.store = caf::actor_cast<store_writer_actor>(services_);
  c.reader = caf::actor_cast<store_reader_actor>(services_);
  c.git = caf::actor_cast<git_actor>(services_);
  c.cluster = caf::actor_cast<cluster_member_actor>(services_);
  c.gate = gate_;
  c.runners = runners_.get();
  c.journals = journals_.get();
  context_ptr shared = context_;
  auto supervisor =
    keep(system.spawn(session_supervisor, shared, projects, revival_report{}));
  auto own_directory =
    keep(system.spawn(greenroom::directory, shared, supervisor, projects));
  c.directory = caf::actor_cast<directory_actor>(own_directory);

  member_options options;
  options.node = here.name;
  options.incarnation = incarnation_;
  options.lease = lease;
  options.load = [] { return 0.0; }; // and not this machine's
  options.owned = owned;
  options.store = caf::actor_cast<full_lease_store_actor>(services_);
  options.packer = caf::actor_cast<packer_actor>(supervisor);
  options.reviews = caf::actor_cast<review_reader_actor>(services_);
  options.gate =
    stage_.planted.always_speaks ? std::make_shared<lease_gate>() : gate_;
  options.adopt = [own_directory](project_record project) {
    caf::anon_send(own_directory, adopt_project{std::move(project)});
  };
  options.releaser = caf::actor_cast<releaser_actor>(own_directory);
  options.stop_runners = [supervisor] {
    caf::anon_send(supervisor, stop_all_runners{});
  };
  auto end_lost =
    [&system, supervisor = caf::actor_cast<session_finder_actor>(supervisor),
     reader = caf::actor_cast<lost_reader_actor>(services_),
     node = here.name](const std::string& project) {
      end_lost_sessions(system, supervisor, reader, {project, node});
    };
  options.end_lost_sessions = end_lost;
  member_ = caf::actor_cast<full_member_actor>(
    keep(system.spawn(cluster_member, std::move(options))));
  if (stage_.planted.always_speaks)
    gate_->open_until(std::numeric_limits<millis>::max());
  serve([this, supervisor, owned, end_lost](caf::event_based_actor* self) {
    self->request(supervisor, caf::infinite, reconcile{})
      .then(
        [owned, end_lost](const reconciled&) {
          for (auto& one : owned)
            end_lost(one.project_id);
        },
        [this](const caf::error&) { failed_ = true; });
  });
}

void process::serve(request what) {
  (*requests_)[++last_request_] = std::move(what);
  caf::anon_send(edge_, last_request_);
}

bool process::speaks() const {
  auto face = stage_.face_of(node_);
  show(&face);
  auto result = gate_->is_open();
  show(nullptr);
  return result;
}

void process::apply_flaws() {
  if (!std::exchange(renewed_, false) || !stage_.planted.renewed_after_pause)
    return;
  gate_->open_until(stage_.steady_of(node_) + lease / 2);
}

} // namespace greenroom::simulation
