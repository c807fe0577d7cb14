// CAF's test scheduler: all actors of all simulated nodes in one thread. Which
// of those that have a message runs next is chance's to say; an actor runs with
// its node's clocks, and not while its process stands still.
//
// One actor system serves all worlds of the program, one after the other.
#pragma once

#include "tests/actors/cluster/simulation/stage.hpp"

#include <caf/actor_system.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <map>
#include <vector>

namespace greenroom::simulation {

class actors {
public:
  explicit actors(stage& world);

  /// Runs what is left in them to its end, without any effect.
  ~actors();

  static caf::actor_system& system();

  /// Runs `what` as a part of `node`: actors that it spawns are that node's.
  template <class F>
  void as(int node, F what) {
    enter(node);
    what();
    leave(node);
  }

  /// Messages are handled until no process that runs has any.
  void run();

  /// Those of a process that has just been killed end, all of them.
  void bury(int node);

  /// Timers of all actors go on by so much.
  void pass(millis time);

private:
  static caf::scheduler::test_coordinator& jobs();
  int node_of(const caf::resumable* job) const;
  void run_job(std::size_t index, int node);
  void enter(int node);
  void leave(int node);

  stage& stage_;
  caf::actor_id first_ = 0;
  std::vector<int> nodes_; // by actor, from first_ on
  // Those of each node that have run.
  std::map<int, std::map<caf::actor_id, caf::weak_actor_ptr>> living_;
};

} // namespace greenroom::simulation
