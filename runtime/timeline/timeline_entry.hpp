// One event of a session as its timeline keeps it.
//
// Most events carry their text. `exec.output` does not: its bytes lie in the
// exec's output log already, and the entry says where.
#pragma once

#include "messages/events.hpp"
#include "messages/time.hpp"
#include "runtime/exec/output/output_log.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace greenroom {

constexpr std::size_t index_of(output_stream stream) noexcept {
  return static_cast<std::size_t>(stream);
}

/// How far an exec's output log has been turned into events: all that is
/// needed to go on from there. Each exec.output entry holds the progress made
/// with it, so the last one of an exec tells where to continue.
struct output_progress {
  std::uint64_t records = 0; // index records taken in
  // Per stream: the end of what events have carried, and the end of what the
  // records taken in have named. What lies between is held back.
  std::array<std::uint64_t, output_streams> announced{};
  std::array<std::uint64_t, output_streams> recorded{};
  friend bool operator==(const output_progress&,
                         const output_progress&) = default;
};

struct timeline_entry {
  event_id id;
  event_kind kind = event_kind::stream_gap;
  unix_ms time = 0;
  // The store's change number, for an event that was written in one
  // transaction with a change of the session; else 0.
  std::uint64_t version = 0;
  std::string exec_id; // empty for events of no exec
  std::string data;    // JSON object as clients get it; empty for exec.output

  // exec.output only: `length` bytes of a stream from `offset` on, and how
  // many bytes were printed just before them but not kept.
  output_stream stream = output_stream::out;
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
  std::uint64_t lost = 0;
  output_progress progress;

  friend bool operator==(const timeline_entry&,
                         const timeline_entry&) = default;
};

} // namespace greenroom
