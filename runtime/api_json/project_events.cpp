#include "runtime/api_json/project_events.hpp"

#include "runtime/api_json/records.hpp"
#include "runtime/api_json/session_events.hpp"
#include "runtime/base/timestamps.hpp"

#include <nlohmann/json.hpp>

namespace greenroom {

std::string project_event_json(const project_event& event) {
  nlohmann::ordered_json result{{"time", format_rfc3339(event.time)}};
  if (!event.session_id.empty())
    result["session_id"] = event.session_id;
  result["project_id"] = event.project_id;
  add_fields(result, event.fields);
  return to_text(result);
}

} // namespace greenroom
