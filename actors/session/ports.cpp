// The ports that a session's commands listen on, and who hears of them.
#include "actors/session/machine/ports.hpp"
#include "actors/session/session.hpp"

#include "runtime/api_json/records.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace greenroom {

using nlohmann::ordered_json;

std::string
session_actor_state::preview_url_of(const session_record& record) const {
  return record.ended_at != 0 || !context_->preview_url
           ? std::string{}
           : context_->preview_url(record.id, record.preview_port);
}

void session_actor_state::on_ports(std::vector<listening_port> now) {
  auto before = std::exchange(ports_, std::move(now));
  if (!is_live(record().status))
    return;
  std::vector<timeline_entry> entries;
  auto add = [&](event_kind kind, const ordered_json& fields) {
    timeline_entry entry;
    entry.kind = kind;
    entry.time = now_ms();
    entry.data = event_json(entry.time, id(), fields);
    entries.push_back(std::move(entry));
  };
  for (auto& event : session::port_events(before, ports_)) {
    add(event.kind, port_json(event.port));
    if (event.kind == event_kind::port_closed)
      remember_closed(event.port);
  }
  auto port = record().preview_port;
  auto is_ready = is_served(ports_, port);
  if (is_ready != is_served(before, port))
    add(is_ready ? event_kind::preview_ready : event_kind::preview_gone,
        {{"port", port}, {"url", preview_url_of(record())}});
  publish(std::move(entries));
}

// Ports of what has lived on while this actor was away are known by what was
// said of them.
void session_actor_state::recover_port(const timeline_entry& entry) {
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
    std::erase(ports_, port);
    remember_closed(port);
  } else if (std::ranges::find(ports_, port) == ports_.end())
    ports_.push_back(std::move(port));
}

void session_actor_state::remember_closed(const listening_port& port) {
  std::erase_if(closed_ports_,
                [&](auto& one) { return one.port == port.port; });
  if (closed_ports_.size() == max_closed_ports)
    closed_ports_.erase(closed_ports_.begin());
  closed_ports_.push_back(port);
}

} // namespace greenroom
