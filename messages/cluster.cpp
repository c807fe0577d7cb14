#include "messages/cluster.hpp"

namespace greenroom {

std::string_view to_string(node_state state) noexcept {
  switch (state) {
    case node_state::ready:
      return "ready";
    case node_state::draining:
      return "draining";
    case node_state::down:
      break;
  }
  return "down";
}

bool parse(std::string_view text, node_state& out) noexcept {
  for (auto state : {node_state::ready, node_state::draining, node_state::down})
    if (text == to_string(state)) {
      out = state;
      return true;
    }
  return false;
}

} // namespace greenroom
