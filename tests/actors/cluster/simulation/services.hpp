// What a simulated node's actors ask: the store's writer and reader, the
// member's connection to the store, and git. All of it is one actor here, whose
// questions to the store go over the network and back: on either way they may
// get lost, and then nobody here knows whether it happened.
#pragma once

#include "tests/actors/cluster/simulation/stage.hpp"

#include <caf/event_based_actor.hpp>

#include <functional>

namespace greenroom::simulation {

struct service_options {
  stage* world = nullptr;
  int node = 0;
  std::string incarnation;
  std::function<void()> renewed; // the answer to a renewal is there
};

caf::behavior services(caf::event_based_actor* self, service_options options);

} // namespace greenroom::simulation
