// What an exec has printed, put together from events: each byte once, in order,
// whatever the stream repeats or skips.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <string>

namespace greenroom::http::client {

/// The bytes of an exec.output event's `data`. Throws std::invalid_argument
/// where it is no valid base64.
std::string output_bytes(const nlohmann::json& event);

class exec_output {
public:
  /// What of this event is new. `missing` is how many bytes before it have not
  /// been seen: they have to be fetched first, and the event given again.
  struct part {
    std::string stream;
    std::string bytes;
    std::uint64_t missing = 0;
  };
  part take(const nlohmann::json& event);

  /// What was fetched in between.
  void fetched(const std::string& stream, std::uint64_t size) {
    next_[stream] += size;
  }

  std::uint64_t seen(const std::string& stream) const {
    auto found = next_.find(stream);
    return found == next_.end() ? 0 : found->second;
  }

private:
  std::map<std::string, std::uint64_t> next_; // offsets
};

} // namespace greenroom::http::client
