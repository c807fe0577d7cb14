#include "runtime/store/outbox.hpp"

#include "runtime/store/outbox_rows.hpp"

#include <nlohmann/json.hpp>

#include <utility>

namespace greenroom::store {

namespace {

using nlohmann::ordered_json;
using type = event_field::type;

ordered_json value_of(const event_field& field) {
  switch (field.what) {
    case type::flag:
      return field.number != 0;
    case type::number:
      return field.number;
    case type::list:
      return field.list;
    case type::text:
      break;
  }
  return field.text;
}

// What is of no type that a field can have is left out.
std::vector<event_field> fields_of(const ordered_json& object) {
  std::vector<event_field> result;
  for (const auto& [name, value] : object.items()) {
    event_field field;
    field.name = name;
    if (value.is_boolean()) {
      field.what = type::flag;
      field.number = value.get<bool>() ? 1 : 0;
    } else if (value.is_number_integer()) {
      field.what = type::number;
      value.get_to(field.number);
    } else if (value.is_string()) {
      value.get_to(field.text);
    } else if (value.is_array()) {
      field.what = type::list;
      for (const auto& one : value)
        if (one.is_string())
          field.list.push_back(one.get<std::string>());
      if (field.list.size() != value.size())
        continue;
    } else {
      continue;
    }
    result.push_back(std::move(field));
  }
  return result;
}

session_event event_of(std::uint64_t version, const std::string& kind,
                       unix_ms time, const ordered_json& object) {
  session_event event;
  event.version = version;
  if (!parse(kind, event.kind))
    throw std::runtime_error("the outbox has an event \"" + kind
                             + "\", which this program does not know");
  event.time = time;
  event.fields = fields_of(object);
  return event;
}

// Before there was an outbox, the events of the last change lay together in
// one column: an array of type, time and data.
void add_earlier(std::vector<session_event>& result, std::uint64_t version,
                 const ordered_json& list) {
  for (const auto& one : list)
    if (one.is_object() && one.contains("data"))
      result.push_back(event_of(version, one.value("type", ""),
                                one.value("time", unix_ms{0}), one["data"]));
}

} // namespace

// What users write need not be UTF-8.
std::string fields_to_text(const std::vector<event_field>& fields) {
  auto object = ordered_json::object();
  for (const auto& field : fields)
    object[field.name] = value_of(field);
  return object.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::vector<event_field> fields_from_text(const std::string& text) {
  auto object = ordered_json::parse(text, nullptr, false);
  return object.is_object() ? fields_of(object) : std::vector<event_field>{};
}

void add_to_outbox(soci::session& sql, const std::string& session_id,
                   std::uint64_t version,
                   const std::vector<session_event>& events) {
  const auto number = static_cast<long long>(version);
  long long place = 0;
  for (const auto& event : events) {
    const std::string kind{to_string(event.kind)};
    const long long time = event.time;
    const auto fields = fields_to_text(event.fields);
    execute(sql,
            "INSERT INTO outbox"
            " (session_id, version, place, kind, made_at, fields)"
            " VALUES (:id, :version, :place, :kind, :made_at, :fields)",
            soci::use(session_id, "id"), soci::use(number, "version"),
            soci::use(place, "place"), soci::use(kind, "kind"),
            soci::use(time, "made_at"), soci::use(fields, "fields"));
    ++place;
  }
  if (version % kept_changes != 0)
    return;
  const auto oldest = number - static_cast<long long>(kept_changes);
  execute(sql,
          "DELETE FROM outbox WHERE session_id = :id AND version < :oldest",
          soci::use(session_id, "id"), soci::use(oldest, "oldest"));
}

void drop_outbox(soci::session& sql, const std::string& session_id) {
  execute(sql, "DELETE FROM outbox WHERE session_id = :id",
          soci::use(session_id, "id"));
}

std::vector<session_event> outbox_of(connection& c,
                                     const std::string& session_id) {
  return reading(c, [&](soci::session& sql) {
    std::vector<session_event> result;
    long long version = 0;
    std::string kind;
    long long time = 0;
    std::string fields;
    soci::statement statement{sql};
    statement.exchange(soci::into(version));
    statement.exchange(soci::into(kind));
    statement.exchange(soci::into(time));
    statement.exchange(soci::into(fields));
    statement.exchange(soci::use(session_id, "id"));
    statement.alloc();
    statement.prepare("SELECT version, kind, made_at, fields FROM outbox"
                      " WHERE session_id = :id ORDER BY version, place",
                      once);
    statement.define_and_bind();
    statement.execute();
    while (statement.fetch()) {
      auto number = static_cast<std::uint64_t>(version);
      auto object = ordered_json::parse(fields, nullptr, false);
      if (object.is_array())
        add_earlier(result, number, object);
      else if (object.is_object())
        result.push_back(event_of(number, kind, time, object));
    }
    return result;
  });
}

} // namespace greenroom::store
