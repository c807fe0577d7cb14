// The files of a simulated node's sessions: a directory in memory, which is
// written and read as actors/session/journal does a real one.
#pragma once

#include "actors/session/journal/keeper.hpp"
#include "tests/actors/cluster/simulation/stage.hpp"

#include <memory>

namespace greenroom::simulation {

/// For the process that the node is at the moment.
std::unique_ptr<journal::keeper> keep_in_memory(stage& world, int node);

} // namespace greenroom::simulation
