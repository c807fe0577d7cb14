// The runners of simulated machines, and the link to them: runner.cpp stands in
// place of actors/runner_link/link.cpp.
#pragma once

#include "tests/actors/cluster/simulation/stage.hpp"

namespace greenroom::simulation {

/// What the runners of all machines do by themselves as time passes, and what
/// must hold of what runs.
void look_at_runners(stage& world);

} // namespace greenroom::simulation
