// Bounds what the ended sessions of a project keep on this node's disk: more
// than sessions.keep_output, and the output of those that ended first goes.
// Where that is not enough the sessions go, by retention (retention.hpp), which
// otherwise has them as long as sessions.keep_ended says. What was rescued
// stays.
//
// Every half a minute it asks the store what has ended since, reviews too, and
// measures what of it lies here, wherever it ended; once an hour, and at the
// node's start, it measures all anew: what is gone by then counts no more, and
// what could not be removed is tried again.
#pragma once

#include "actors/base/context.hpp"
#include "actors/retention/ended_sizes.hpp"
#include "actors/retention/retention.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <cstdint>

namespace greenroom {

using size_retention_actor = caf::typed_actor<caf::reacts_to<clock_tick>>;

inline constexpr std::chrono::seconds size_look_period{30};
inline constexpr millis full_look_period = 60 * 60 * 1000;

/// What ended may be in the store later than it says, by other nodes' clocks
/// too. Later than that a full look finds it.
inline constexpr millis longest_end = 10 * 60 * 1000;

struct size_retention_state {
  static inline const char* name = "size-retention";
  context_ptr context;
  retention_actor retention;
  std::uint64_t limit = 0;
  ended_sizes known{0};
  list_ended next;       // the next page of a look
  unix_ms last_look = 0; // when it began
  unix_ms last_full = 0;
};

/// To be spawned detached: it works on the disk. Begins at once. `limit`: bytes
/// for each project.
size_retention_actor::behavior_type size_retention(
  size_retention_actor::stateful_pointer<size_retention_state> self,
  context_ptr context, retention_actor retention, std::uint64_t limit);

} // namespace greenroom
