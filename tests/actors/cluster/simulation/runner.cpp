#include "tests/actors/cluster/simulation/runner.hpp"

#include <caf/send.hpp>

#include <variant>

namespace greenroom::simulation {

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

class simulated_runners final : public runners_of_node {
public:
  simulated_runners(stage& world, int node) : stage_(world), node_(node) {
    life_ = machine_of(world, node).life;
  }

  void attach(const std::string& id, const std::string&, runner_user_actor user,
              bool start) override {
    auto after = stage_.luck.between(1, start ? 60 : 10);
    stage_.when.in(after, [=, &world = stage_, node = node_, life = life_] {
      if (world.is_over(node, life))
        return;
      auto& runner = machine_of(world, node).runners[id];
      runner.is_up = runner.is_up || start;
      runner.user = user;
      runner.life = life;
      if (!runner.is_up)
        return tell(world, node, runner, runner_down{"there is none"});
      runner_up up;
      for (auto& [exec_id, since] : runner.execs)
        up.execs.push_back({exec_id, 0, world.face_of(node).wall});
      tell(world, node, runner, std::move(up));
    });
  }

  bool send(const std::string& id,
            const runner::node_message& message) override {
    auto& known = machine_of(stage_, node_).runners[id];
    if (stage_.is_over(node_, life_) || !known.is_up || known.life != life_)
      return false;
    if (auto* spawn = std::get_if<runner::spawn>(&message))
      stage_.when.in(stage_.luck.between(1, 10), [&world = stage_, node = node_,
                                                  id, exec_id = spawn->exec] {
        begin(world, node, id, exec_id);
      });
    else if (auto* cancel = std::get_if<runner::cancel>(&message))
      stage_.when.in(stage_.luck.between(1, 50), [&world = stage_, node = node_,
                                                  id, exec_id = cancel->exec] {
        end(world, node, id, exec_id, exec_status::canceled);
      });
    return true;
  }

  // Who holds it is gone before this is: the journal is of the same process.
  std::function<bool(const runner::node_message&)>
  line_of(const std::string& id) override {
    auto& known = machine_of(stage_, node_).runners[id];
    if (!known.is_up || known.life != life_)
      return {};
    return [this, id](const auto& message) { return send(id, message); };
  }

  void stop(const std::string& id, runner_user_actor user) override {
    if (stage_.is_over(node_, life_))
      return;
    stage_.when.in(stage_.luck.between(1, 40),
                   [=, &world = stage_, node = node_, life = life_] {
                     end_all(world, node, id);
                     machine_of(world, node).runners[id].is_up = false;
                     if (user && !world.is_over(node, life))
                       caf::anon_send(user, runner_down{});
                   });
  }

  // No simulated command reads or listens.
  void write(const std::string&, const std::string&, std::uint64_t, shared_text,
             bool) override {}
  void resize(const std::string&, const std::string&, std::uint64_t,
              std::uint16_t, std::uint16_t) override {}
  void connect(const std::string&, runner_user_actor, std::uint64_t,
               std::uint16_t) override {}

private:
  stage& stage_;
  int node_;
  int life_; // of the process that it is a part of
};

} // namespace

std::unique_ptr<runners_of_node> runners_on(stage& world, int node) {
  return std::make_unique<simulated_runners>(world, node);
}

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

} // namespace greenroom::simulation
