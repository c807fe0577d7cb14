#include "runtime/api_json/session_events.hpp"

#include "runtime/api_json/records.hpp"

#include <nlohmann/json.hpp>

namespace greenroom {

namespace {

using nlohmann::ordered_json;

// An event has to stay below what the timeline takes for one.
void limit_rescue_refs(ordered_json& fields) {
  constexpr std::size_t max_shown = 1000;
  auto refs = fields.find("rescue_refs");
  if (refs == fields.end() || refs->size() <= max_shown)
    return;
  auto count = refs->size();
  refs->erase(refs->begin() + max_shown, refs->end());
  fields["rescue_refs_in_all"] = count;
}

ordered_json value_of(const event_field& field) {
  using type = event_field::type;
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

// The session, unless the event is about a review, which is a thing of its own
// with a status of its own.
ordered_json base_of(const session_record& session, event_kind kind,
                     std::size_t running_execs, std::string_view preview_url) {
  if (kind == event_kind::review_queued || kind == event_kind::review_started
      || kind == event_kind::review_finished)
    return ordered_json::object();
  auto result = session_json(session, running_execs, preview_url);
  limit_rescue_refs(result);
  return result;
}

} // namespace

void add_fields(ordered_json& to, const std::vector<event_field>& fields) {
  for (auto& field : fields)
    to[field.name] = value_of(field);
}

std::string session_event_json(const session_record& session,
                               const session_event& event,
                               std::size_t running_execs,
                               std::string_view preview_url) {
  auto fields = base_of(session, event.kind, running_execs, preview_url);
  add_fields(fields, event.fields);
  return event_json(event.time, session.id, fields);
}

ordered_json session_event_fields(const session_record& session,
                                  std::string_view type,
                                  const std::vector<event_field>& fields,
                                  std::string_view preview_url) {
  auto kind = event_kind::session_created;
  static_cast<void>(parse(type, kind));
  ordered_json result{{"session_id", session.id},
                      {"project_id", session.project_id}};
  result.update(base_of(session, kind, 0, preview_url));
  result.erase("running_execs");
  add_fields(result, fields);
  return result;
}

} // namespace greenroom
