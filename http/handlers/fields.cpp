#include "http/handlers/fields.hpp"

#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "runtime/base/durations.hpp"

#include <nlohmann/json.hpp>

namespace greenroom::http::handlers {

namespace {

[[noreturn]] void refuse(const std::string& message) {
  throw refused(errc::bad_request, message);
}

std::string days(millis length) {
  return length % one_day == 0 ? std::to_string(length / one_day) + " days"
                               : format_duration(length);
}

} // namespace

millis read_expiry(std::string_view text, millis limit) {
  auto read = parse_expiry(text);
  if (read.verdict == expiry_verdict::invalid)
    refuse("expires_in must be a valid duration (e.g., 24h, 7d)");
  if (read.verdict == expiry_verdict::too_long || read.length > limit)
    refuse("expires_in cannot exceed " + days(limit));
  return read.length;
}

event_filter read_filter(const query_params& query) {
  event_filter result;
  auto types = query.get("types").value_or(std::string_view{});
  while (!types.empty()) {
    auto comma = types.find(',');
    auto name = types.substr(0, comma);
    types.remove_prefix(comma == std::string_view::npos ? types.size()
                                                        : comma + 1);
    event_kind kind{};
    if (!parse(name, kind))
      refuse("types: unknown event \"" + std::string{name} + "\"");
    result.kinds |= bit(kind);
  }
  result.exec_id = query.text("exec_id");
  if (!result.exec_id.empty() && !is_exec_id(result.exec_id))
    refuse("exec_id must match ^[A-Za-z0-9_-]{1,64}$");
  return result;
}

event_id read_event_id(std::string_view name, std::string_view text) {
  event_id result;
  if (!parse(text, result))
    refuse(std::string{name} + " must be an event id, like 3-17");
  return result;
}

std::string list_json(std::string_view name, std::string_view list,
                      std::string_view next_cursor) {
  std::string result;
  result.reserve(list.size() + name.size() + next_cursor.size() + 32);
  result += "{\"";
  result += name;
  result += "\":";
  result += list;
  if (!next_cursor.empty()) {
    result += ",\"next_cursor\":";
    result += nlohmann::json(next_cursor).dump();
  }
  result += '}';
  return result;
}

} // namespace greenroom::http::handlers
