#include "actors/session/journal/port_history.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace greenroom::journal {

void remember_closed(std::vector<listening_port>& closed,
                     const listening_port& port) {
  std::erase_if(closed, [&](auto& one) { return one.port == port.port; });
  if (closed.size() == max_closed_ports)
    closed.erase(closed.begin());
  closed.push_back(port);
}

void take_port(const timeline_entry& entry, std::vector<listening_port>& open,
               std::vector<listening_port>& closed) {
  auto data = nlohmann::json::parse(entry.data, nullptr, false);
  if (!data.is_object())
    return;
  auto exec = data.find("exec_id");
  listening_port port{data.value("port", std::uint16_t{0}),
                      data.value("address", ""), data.value("process", ""),
                      exec != data.end() && exec->is_string()
                        ? exec->get<std::string>()
                        : std::string{}};
  if (entry.kind == event_kind::port_closed) {
    std::erase(open, port);
    remember_closed(closed, port);
  } else if (std::ranges::find(open, port) == open.end())
    open.push_back(std::move(port));
}

} // namespace greenroom::journal
