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

} // namespace

std::string session_event_json(const session_record& session,
                               const session_event& event,
                               std::size_t running_execs,
                               std::string_view preview_url) {
  // A review is a thing of its own, with a status of its own.
  auto of_review = event.kind == event_kind::review_queued
                   || event.kind == event_kind::review_finished;
  auto fields = of_review ? ordered_json::object()
                          : session_json(session, running_execs, preview_url);
  limit_rescue_refs(fields);
  for (auto& field : event.fields)
    fields[field.name] = value_of(field);
  return event_json(event.time, session.id, fields);
}

} // namespace greenroom
