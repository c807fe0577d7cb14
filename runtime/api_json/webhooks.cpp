#include "runtime/api_json/webhooks.hpp"

#include "runtime/api_json/records.hpp"
#include "runtime/api_json/session_events.hpp"
#include "runtime/base/timestamps.hpp"

#include <nlohmann/json.hpp>

namespace greenroom {

namespace {

using nlohmann::ordered_json;

void add_time(ordered_json& to, const char* name, unix_ms time) {
  if (time != 0)
    to[name] = format_rfc3339(time);
}

void add_text(ordered_json& to, const char* name, const std::string& text) {
  if (!text.empty())
    to[name] = text;
}

} // namespace

ordered_json webhook_json(const webhook_record& webhook) {
  ordered_json result{{"id", webhook.id}, {"project_id", webhook.project_id}};
  add_text(result, "session_id", webhook.session_id);
  result["url"] = webhook.url;
  result["types"] = webhook.types;
  result["enabled"] = webhook.enabled;
  add_text(result, "description", webhook.description);
  add_text(result, "disabled_reason", webhook.disabled_reason);
  add_time(result, "disabled_at", webhook.disabled_at);
  result["created_by"] = webhook.created_by;
  add_time(result, "created_at", webhook.created_at);
  add_time(result, "delivered_at", webhook.delivered_at);
  add_time(result, "failing_since", webhook.failing_since);
  add_text(result, "last_error", webhook.last_error);
  return result;
}

ordered_json delivery_json(const delivery_record& delivery) {
  ordered_json result{{"id", delivery.id},
                      {"webhook_id", delivery.webhook_id},
                      {"project_id", delivery.project_id}};
  add_text(result, "session_id", delivery.session_id);
  result["type"] = delivery.type;
  result["status"] = to_string(delivery.state);
  add_time(result, "created_at", delivery.created_at);
  result["attempts"] = delivery.attempts;
  add_time(result, "last_attempt_at", delivery.last_attempt_at);
  if (delivery.state == delivery_state::pending)
    add_time(result, "next_attempt_at", delivery.next_attempt_at);
  if (delivery.status != 0)
    result["response_status"] = delivery.status;
  if (delivery.last_attempt_at != 0)
    result["duration_ms"] = delivery.took;
  add_text(result, "error", delivery.error);
  return result;
}

std::string delivery_body(const due_delivery& what,
                          std::string_view preview_url) {
  const auto& delivery = what.delivery;
  ordered_json data = ordered_json::object();
  if (what.session.id.empty()) {
    data["project_id"] = delivery.project_id;
    add_fields(data, what.fields);
  } else {
    data = session_event_fields(what.session, delivery.type, what.fields,
                                preview_url);
  }
  ordered_json body{{"type", delivery.type},
                    {"timestamp", format_rfc3339(delivery.created_at)},
                    {"data", std::move(data)}};
  return to_text(body);
}

} // namespace greenroom
