#include "actors/session/machine/ports.hpp"

#include <algorithm>

namespace greenroom::session {

namespace {

void add_missing(std::vector<port_event>& to, event_kind kind,
                 const std::vector<listening_port>& from,
                 const std::vector<listening_port>& in) {
  for (auto& port : from)
    if (std::ranges::find(in, port) == in.end())
      to.push_back({kind, port});
}

} // namespace

std::vector<port_event> port_events(const std::vector<listening_port>& before,
                                    const std::vector<listening_port>& after) {
  std::vector<port_event> result;
  add_missing(result, event_kind::port_closed, before, after);
  add_missing(result, event_kind::port_opened, after, before);
  return result;
}

} // namespace greenroom::session
