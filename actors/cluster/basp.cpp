#include "actors/cluster/basp.hpp"

#include <caf/actor_system.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/network/multiplexer.hpp>
#include <caf/io/scribe.hpp>

namespace greenroom {

void load_middleman(caf::actor_system_config& settings) {
  settings.load<caf::io::middleman>();
  // It would open a port of its own, for everybody.
  settings.set("middleman.enable-automatic-connections", false);
}

caf::actor basp_broker(caf::actor_system& system) {
  return system.middleman().named_broker<caf::io::basp_broker>(
    caf::atom("BASP"));
}

caf::io::scribe_ptr make_scribe(caf::actor_system& system, unique_fd bytes) {
  return system.middleman().backend().new_scribe(bytes.release());
}

} // namespace greenroom
