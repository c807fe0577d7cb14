#include "runtime/api_json/audit.hpp"

#include "runtime/base/timestamps.hpp"

#include <nlohmann/json.hpp>

namespace greenroom {

nlohmann::ordered_json audit_json(const audit_entry& entry) {
  nlohmann::ordered_json result{{"id", entry.id},
                                {"time", format_rfc3339(entry.time)},
                                {"node", entry.node}};
  auto add = [&](const char* name, const std::string& value) {
    if (!value.empty())
      result[name] = value;
  };
  add("key_id", entry.key_id);
  add("key_name", entry.key_name);
  add("address", entry.address);
  add("request_id", entry.request_id);
  add("method", entry.method);
  add("route", entry.route);
  add("project_id", entry.project_id);
  add("session_id", entry.session_id);
  add("object", entry.object);
  result["status"] = entry.status;
  add("code", entry.code);
  if (entry.requests != 0) {
    result["requests"] = entry.requests;
    result["bytes"] = entry.bytes;
  }
  return result;
}

} // namespace greenroom
