#include "runtime/runner/outer/memory_events.hpp"

#include "runtime/base/files.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace greenroom::runner {

namespace {

std::string read_quietly(const std::string& path) {
  try {
    return read_file(path).value_or("");
  } catch (const std::system_error&) {
    return {}; // the group is gone, or has no such file
  }
}

std::optional<std::uint64_t> number_at(std::string_view text) {
  std::uint64_t result = 0;
  auto read = std::from_chars(text.data(), text.data() + text.size(), result);
  return read.ec == std::errc{} ? std::optional{result} : std::nullopt;
}

std::uint64_t kills_in(std::string_view events) {
  constexpr std::string_view name = "oom_kill ";
  for (std::size_t at = 0; at < events.size();) {
    auto line = events.substr(at, events.find('\n', at) - at);
    if (line.starts_with(name))
      return number_at(line.substr(name.size())).value_or(0);
    at += line.size() + 1;
  }
  return 0;
}

} // namespace

std::uint64_t out_of_memory_kills(const std::vector<std::string>& groups) {
  std::uint64_t result = 0;
  for (const auto& group : groups)
    // cgroups v2, and v1.
    for (auto file : {"/memory.events", "/memory.oom_control"})
      result = std::max(result, kills_in(read_quietly(group + file)));
  return result;
}

std::string why_out_of_memory(const std::vector<std::string>& groups) {
  std::string limit;
  for (const auto& group : groups)
    for (auto file : {"/memory.max", "/memory.limit_in_bytes"})
      if (auto bytes = number_at(read_quietly(group + file)))
        limit = " of " + std::to_string(*bytes >> 20) + " MiB";
  return "out of memory: the kernel killed one of the session's processes at "
         "its limit"
         + limit;
}

} // namespace greenroom::runner
