// The runners of simulated machines, and the way to them.
#pragma once

#include "actors/runner_link/runners.hpp"
#include "tests/actors/cluster/simulation/stage.hpp"

#include <memory>

namespace greenroom::simulation {

/// For the process that the node is at the moment.
std::unique_ptr<runners_of_node> runners_on(stage& world, int node);

/// What the runners of all machines do by themselves as time passes, and what
/// must hold of what runs.
void look_at_runners(stage& world);

} // namespace greenroom::simulation
