// How an exec ended: <session_dir>/exec/<eid>/exit.json.
//
// The runner writes it after the last byte of the output log, so whoever finds
// it whole knows the end of that exec for good; one that is cut counts as none.
// An exec that has begun, that no runner knows and that has no exit record is
// `lost`.
#pragma once

#include "messages/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom {

enum class exit_status : std::uint8_t {
  exited,
  signaled,
  timed_out,
  canceled,
  lost,
};

std::string_view to_string(exit_status status) noexcept;

struct exit_record {
  exit_status status = exit_status::lost;
  // What the first process did, whatever the status: the code where it
  // exited, the signal where one killed it, else 0.
  std::int32_t exit_code = 0;
  std::int32_t signal = 0;
  unix_ms ended_at = 0;
  std::uint64_t stdout_bytes = 0; // as printed, kept or not
  std::uint64_t stderr_bytes = 0;
  bool truncated = false;    // the log holds less than was printed
  std::uint64_t records = 0; // in the log's index
  // Where it did not end by itself: which limit was reached, who wanted it or
  // why it is lost; a sentence for the user.
  std::string reason = {};
  friend bool operator==(const exit_record&, const exit_record&) = default;
};

std::string to_json(const exit_record& record);

/// Nothing where the text is no exit record.
std::optional<exit_record> parse_exit_record(std::string_view json);

} // namespace greenroom
