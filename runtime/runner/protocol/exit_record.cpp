#include "runtime/runner/protocol/exit_record.hpp"

#include "runtime/runner/protocol/exit_fields.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace greenroom {

namespace {

constexpr std::array<std::string_view, 5> names{
  "exited", "signaled", "timed_out", "canceled", "lost"};

} // namespace

std::string_view to_string(exit_status status) noexcept {
  return names[static_cast<std::size_t>(status)];
}

std::string to_json(const exit_record& record) {
  auto object = nlohmann::json::object();
  runner::put_exit_fields(object, record);
  return runner::to_text(object);
}

std::optional<exit_record> parse_exit_record(std::string_view json) {
  try {
    return runner::exit_fields(runner::parse_object(json));
  } catch (const runner::bad_field&) {
    return std::nullopt;
  }
}

namespace runner {

void put_exit_fields(nlohmann::json& object, const exit_record& record) {
  object["status"] = to_string(record.status);
  object["exit_code"] = record.exit_code;
  object["signal"] = record.signal;
  object["ended_at"] = record.ended_at;
  object["stdout_bytes"] = record.stdout_bytes;
  object["stderr_bytes"] = record.stderr_bytes;
  object["truncated"] = record.truncated;
  object["records"] = record.records;
  if (!record.reason.empty())
    object["reason"] = record.reason;
}

exit_record exit_fields(const nlohmann::json& object) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  auto status = std::ranges::find(names, string_field(object, "status"));
  if (status == names.end())
    throw bad_field{"status is no exec's end"};
  exit_record result;
  result.status = static_cast<exit_status>(status - names.begin());
  result.exit_code =
    static_cast<std::int32_t>(integer_field(object, "exit_code", 0, 255));
  result.signal =
    static_cast<std::int32_t>(integer_field(object, "signal", 0, 64));
  result.ended_at = integer_field(object, "ended_at", 0, most);
  result.stdout_bytes = count_field(object, "stdout_bytes");
  result.stderr_bytes = count_field(object, "stderr_bytes");
  result.truncated = bool_field(object, "truncated");
  result.records = count_field(object, "records");
  if (object.contains("reason"))
    result.reason = string_field(object, "reason");
  return result;
}

} // namespace runner

} // namespace greenroom
