#include "tests/actors/cluster/simulation/runner.hpp"

#include "actors/runner_link/link.hpp"

#include <caf/send.hpp>

#include <variant>

namespace greenroom {

/// The node that it is on.
class runner_link::loop {
public:
  int node = 0;
  int life = 0;
};

namespace simulation {

namespace {

machine& machine_of(stage& world, int node) {
  return world.machines[static_cast<std::size_t>(node)];
}

// To the process that is attached, if that is still there.
template <class Message>
void tell(stage& world, int node, runner_model& runner, Message what) {
  if (runner.life != 0 && !world.is_over(node, runner.life) && runner.user)
    caf::anon_send(runner.user, std::move(what));
}

void end(stage& world, int node, const std::string& id,
         const std::string& exec_id, exec_status how) {
  auto& here = machine_of(world, node);
  auto& runner = here.runners[id];
  if (runner.execs.erase(exec_id) == 0)
    return;
  exec_outcome outcome;
  outcome.status = how;
  outcome.ended_at = world.face_of(node).wall;
  if (how == exec_status::canceled)
    outcome.reason = "the session ended";
  auto& disk = here.disks[id];
  if (auto kept = disk.execs.find(exec_id); kept != disk.execs.end())
    kept->second.end = outcome;
  tell(world, node, runner, exec_ended{exec_id, 0, outcome});
}

void end_all(stage& world, int node, const std::string& id) {
  auto running = machine_of(world, node).runners[id].execs;
  for (auto& [exec_id, since] : running)
    end(world, node, id, exec_id, exec_status::canceled);
}

void begin(stage& world, int node, const std::string& id,
           const std::string& exec_id) {
  auto& here = machine_of(world, node);
  auto& runner = here.runners[id];
  if (!runner.is_up || world.steady_of(node) >= here.run_lease.stop_at)
    return;
  world.rules.acts(here.name, id, "a command begins");
  runner.execs[exec_id] = world.when.now();
  here.disks[id].execs[exec_id].has_run = true;
  tell(world, node, runner, exec_started{exec_id, world.face_of(node).wall});
  world.when.in(world.luck.between(20, 5'000), [&world, node, id, exec_id] {
    end(world, node, id, exec_id, exec_status::exited);
  });
}

} // namespace

void look_at_runners(stage& world) {
  for (int node = 0; node < static_cast<int>(world.machines.size()); ++node) {
    auto& here = machine_of(world, node);
    auto over = world.steady_of(node) >= here.run_lease.stop_at;
    for (auto& [id, runner] : here.runners) {
      if (over)
        end_all(world, node, id);
      if (!runner.execs.empty())
        world.rules.acts(here.name, id, "a command runs");
    }
  }
}

} // namespace simulation

using simulation::stage;

runner_link::runner_link(runner_link_options)
  : loop_(std::make_unique<loop>()) {
  auto& world = stage::current();
  loop_->node = world.running;
  loop_->life = simulation::machine_of(world, loop_->node).life;
}

runner_link::~runner_link() = default;

void runner_link::attach(const std::string& id, const std::string&,
                         runner_user_actor user, bool start) {
  auto& world = stage::current();
  auto node = loop_->node;
  auto life = loop_->life;
  world.when.in(world.luck.between(1, start ? 60 : 10), [=, &world] {
    if (world.is_over(node, life))
      return;
    auto& runner = simulation::machine_of(world, node).runners[id];
    runner.is_up = runner.is_up || start;
    runner.user = user;
    runner.life = life;
    if (!runner.is_up)
      return simulation::tell(world, node, runner,
                              runner_down{"there is none"});
    runner_up up;
    for (auto& [exec_id, since] : runner.execs)
      up.execs.push_back({exec_id, 0, world.face_of(node).wall});
    simulation::tell(world, node, runner, std::move(up));
  });
}

bool runner_link::send(const std::string& id,
                       const runner::node_message& message) {
  auto& world = stage::current();
  auto node = loop_->node;
  auto& known = simulation::machine_of(world, node).runners[id];
  if (world.is_over(node, loop_->life) || !known.is_up
      || known.life != loop_->life)
    return false;
  if (auto* spawn = std::get_if<runner::spawn>(&message))
    world.when.in(world.luck.between(1, 10),
                  [&world, node, id, exec_id = spawn->exec] {
                    simulation::begin(world, node, id, exec_id);
                  });
  else if (auto* cancel = std::get_if<runner::cancel>(&message))
    world.when.in(
      world.luck.between(1, 50), [&world, node, id, exec_id = cancel->exec] {
        simulation::end(world, node, id, exec_id, exec_status::canceled);
      });
  return true;
}

std::function<bool(const runner::node_message&)>
runner_link::line_of(const std::string& id) {
  auto& known =
    simulation::machine_of(stage::current(), loop_->node).runners[id];
  if (!known.is_up || known.life != loop_->life)
    return {};
  return [this, id](const auto& message) { return send(id, message); };
}

void runner_link::stop(const std::string& id, runner_user_actor user) {
  auto& world = stage::current();
  auto node = loop_->node;
  auto life = loop_->life;
  if (world.is_over(node, life))
    return;
  world.when.in(world.luck.between(1, 40), [=, &world] {
    auto& runner = simulation::machine_of(world, node).runners[id];
    simulation::end_all(world, node, id);
    runner.is_up = false;
    if (user && !world.is_over(node, life))
      caf::anon_send(user, runner_down{});
  });
}

void runner_link::write(const std::string&, const std::string&, std::uint64_t,
                        shared_text, bool) {}

void runner_link::resize(const std::string&, const std::string&, std::uint64_t,
                         std::uint16_t, std::uint16_t) {}

void runner_link::connect(const std::string&, runner_user_actor, std::uint64_t,
                          std::uint16_t) {}

std::size_t runner_link::connected() const {
  return 0;
}

std::optional<std::int32_t> runner_link::process_of(const std::string&) const {
  return std::nullopt;
}

} // namespace greenroom
