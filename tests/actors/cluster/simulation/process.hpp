// One run of the server on a simulated machine: the real actors of a node,
// wired as runtime/node wires them.
#pragma once

#include "actors/base/context.hpp"
#include "actors/base/lease_gate.hpp"
#include "actors/runner_link/runners.hpp"
#include "actors/session/journal/keeper.hpp"
#include "messages/moving.hpp"
#include "tests/actors/cluster/simulation/actors.hpp"

#include <caf/actor.hpp>

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

namespace greenroom::simulation {

class process {
public:
  process(stage& world, actors& all, int node);
  process(const process&) = delete;
  process& operator=(const process&) = delete;

  /// As kill -9 does.
  ~process();

  /// Runs with the actor that stands for this node's HTTP threads, as if a
  /// request had come in.
  using request = std::function<void(caf::event_based_actor*)>;
  void serve(request what);

  const directory_actor& directory() const {
    return context_->directory;
  }
  const full_member_actor& member() const {
    return member_;
  }
  /// Whether it could not start, so that it ends by itself.
  bool has_failed() const {
    return failed_;
  }
  /// Whether it would tell a client something at this moment.
  bool speaks() const;
  /// To be called when its actors have run.
  void apply_flaws();

private:
  void start_actors();
  template <class Handle>
  Handle keep(Handle handle) {
    parts_.push_back(caf::actor_cast<caf::actor>(handle));
    return handle;
  }

  stage& stage_;
  actors& actors_;
  int node_;
  std::string incarnation_;
  bool renewed_ = false; // and no actor has run since
  bool failed_ = false;
  std::shared_ptr<lease_gate> gate_ = std::make_shared<lease_gate>();
  std::unique_ptr<runners_of_node> runners_;
  std::unique_ptr<journal::keeper> journals_;
  std::shared_ptr<node_context> context_ = std::make_shared<node_context>();
  caf::actor services_;
  caf::actor edge_;
  full_member_actor member_;
  std::vector<caf::actor> parts_;
  std::shared_ptr<std::unordered_map<std::uint64_t, request>> requests_ =
    std::make_shared<std::unordered_map<std::uint64_t, request>>();
  std::uint64_t last_request_ = 0;
};

} // namespace greenroom::simulation
