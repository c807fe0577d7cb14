#include "runtime/node/root.hpp"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>
#include <utility>

namespace greenroom {

node_root_actor::behavior_type
node_root(node_root_actor::stateful_pointer<node_root_state> self,
          std::function<void()> died) {
  self->set_down_handler([self, died](const caf::down_msg& down) {
    // A second signal would be the order not to stop in order.
    if (std::exchange(self->state.told, true))
      return;
    spdlog::critical("a vital part has died ({}), the node ends",
                     self->system().render(down.reason));
    died();
    ::kill(::getpid(), SIGTERM);
  });
  return {
    [self](const monitor_component& x) { self->monitor(x.part); },
  };
}

} // namespace greenroom
