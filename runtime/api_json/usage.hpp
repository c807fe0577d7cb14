// What a session takes of its node, as clients see it.
#pragma once

#include "runtime/metrics/session_meter.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string_view>

namespace greenroom {

/// 0: there is none.
struct usage_limits {
  std::uint64_t processes = 0;
  std::uint64_t memory = 0; // bytes
  std::uint64_t disk = 0;   // bytes
  std::uint64_t files = 0;
};

nlohmann::ordered_json usage_json(std::string_view session_id,
                                  const session_usage& usage,
                                  const usage_limits& limits);

} // namespace greenroom
