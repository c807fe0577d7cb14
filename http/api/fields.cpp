#include "http/api/fields.hpp"

#include "http/api/key_names.hpp"
#include "http/base/json_body.hpp"
#include "http/edge/thread_context.hpp"
#include "http/proxy/target.hpp"
#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "runtime/api_json/records.hpp"
#include "runtime/base/durations.hpp"
#include "runtime/base/session_paths.hpp"
#include "runtime/runner/protocol/session_files.hpp"

#include <nlohmann/json.hpp>

#include <charconv>
#include <cstring>

namespace greenroom::http::handlers {

namespace {

std::string days(millis length) {
  return length % one_day == 0 ? std::to_string(length / one_day) + " days"
                               : format_duration(length);
}

/// The id of the key that made the session. It has no character that JSON
/// escapes, and what looks like the field inside of another one's text has its
/// quotes escaped: so the text need not be parsed, with each read of a session.
std::string creator_in(std::string_view session) {
  constexpr std::string_view field = R"("created_by":")";
  auto at = session.find(field);
  if (at == std::string_view::npos)
    return {};
  session.remove_prefix(at + field.size());
  return std::string{session.substr(0, session.find('"'))};
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

greenroom::list_sessions read_listing(const query_params& query) {
  greenroom::list_sessions what;
  what.status = query.text("status");
  session_status known{};
  if (!what.status.empty() && !parse(what.status, known))
    refuse("status must be creating, active, checking_in, ended, expired, "
           "terminated or failed");
  what.feature_slug = query.text("feature_slug");
  what.created_by = query.text("created_by");
  what.label = query.text("label");
  if (what.label.starts_with('='))
    refuse("label must be NAME or NAME=VALUE");
  what.limit = query.limit();
  what.cursor = query.text("cursor");
  return what;
}

event_filter read_filter(const query_params& query, std::string_view more_type,
                         kind_set more_bit) {
  event_filter result;
  auto types = query.get("types").value_or(std::string_view{});
  while (!types.empty()) {
    auto comma = types.find(',');
    auto name = types.substr(0, comma);
    types.remove_prefix(comma == std::string_view::npos ? types.size()
                                                        : comma + 1);
    event_kind kind{};
    if (!more_type.empty() && name == more_type) {
      result.kinds |= more_bit;
      continue;
    }
    if (!parse(name, kind))
      refuse("types: unknown event \"" + std::string{name} + "\"");
    result.kinds |= bit(kind);
  }
  result.exec_id = query.text("exec_id");
  if (!result.exec_id.empty() && !is_exec_id(result.exec_id))
    refuse("exec_id must match ^[A-Za-z0-9_-]{1,64}$");
  return result;
}

std::int32_t read_signal(const nlohmann::json* value) {
  constexpr int last = 64;
  if (value != nullptr && value->is_number_integer() && *value >= 1
      && *value <= last)
    return value->get<std::int32_t>();
  if (value != nullptr && value->is_string()) {
    auto name = value->get<std::string>();
    if (name.starts_with("SIG"))
      name.erase(0, 3);
    for (int number = 1; number <= last; ++number)
      if (auto known = ::sigabbrev_np(number);
          known != nullptr && name == known)
        return number;
  }
  refuse("signal must be the name of a signal, like INT, or a number from 1 "
         "to 64");
}

void send_text(const exchange_ptr& ex, std::string_view text) {
  response answer;
  answer.content_type = "text/plain; charset=utf-8";
  answer.body = text;
  ex->send(std::move(answer));
}

std::filesystem::path exec_log(const exchange& ex) {
  return session_dir(ex.env.options.data_dir, ex.session_id())
         / runner::exec_dir(ex.exec_id());
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

std::uint16_t read_port(std::string_view text) {
  std::uint16_t port = 0;
  auto end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc{} || stop != end || port == 0)
    refuse("a port is a number from 1 to 65535");
  return port;
}

nlohmann::ordered_json shown_session(const exchange& ex,
                                     const session_record& session,
                                     std::size_t running_execs) {
  auto url =
    session.ended_at != 0
      ? std::string{}
      : proxy::preview_url(ex.env.options, session.id, session.preview_port);
  auto result = session_json(session, running_execs, url);
  put_creator_name(ex, session.created_by, result);
  result["reachable"] = true;
  return result;
}

std::string shown_session(const exchange& ex, const session_view& view) {
  std::string text{view.json.view()};
  if (!text.ends_with('}'))
    return text;
  text.pop_back();
  if (auto name = key_names(ex)(creator_in(text)); !name.empty())
    text += R"(,"created_by_name":)" + greenroom::to_text(name);
  return text + R"(,"reachable":true})";
}

} // namespace greenroom::http::handlers
