#include "runtime/api_json/usage.hpp"

#include "runtime/base/timestamps.hpp"

#include <nlohmann/json.hpp>

namespace greenroom {

nlohmann::ordered_json usage_json(std::string_view session_id,
                                  const session_usage& usage,
                                  const usage_limits& limits) {
  using object = nlohmann::ordered_json;
  auto limited = [](object what, const char* name, std::uint64_t limit) {
    if (limit != 0)
      what[name] = limit;
    return what;
  };
  auto disk = limited({{"bytes", usage.disk.bytes},
                       {"files", usage.disk.files},
                       {"complete", usage.disk.complete}},
                      "limit_bytes", limits.disk);
  return {{"session_id", session_id},
          {"measured_at", format_rfc3339(usage.measured_at)},
          {"cpu", {{"used_ms", usage.cpu_ms}}},
          {"memory",
           limited({{"bytes", usage.memory}}, "limit_bytes", limits.memory)},
          {"processes",
           limited({{"count", usage.processes}}, "limit", limits.processes)},
          {"disk", limited(std::move(disk), "limit_files", limits.files)}};
}

} // namespace greenroom
