// The ports that a session's commands listen on, and who hears of them.
#include "actors/session/machine/ports.hpp"
#include "actors/session/journal/port_history.hpp"
#include "actors/session/session.hpp"

#include "runtime/api_json/records.hpp"

#include <nlohmann/json.hpp>

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
      journal::remember_closed(closed_ports_, event.port);
  }
  auto port = record().preview_port;
  auto is_ready = is_served(ports_, port);
  if (is_ready != is_served(before, port))
    add(is_ready ? event_kind::preview_ready : event_kind::preview_gone,
        {{"port", port}, {"url", preview_url_of(record())}});
  publish(std::move(entries));
}

} // namespace greenroom
