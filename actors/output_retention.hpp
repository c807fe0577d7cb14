// Bounds what the ended sessions of a project keep on this node's disk: more
// than sessions.keep_output, and the output of the one that ended first goes.
// Where the timelines alone are more the sessions go, by retention
// (retention.hpp), which otherwise has them as long as sessions.keep_ended
// says. What was rescued stays.
//
// Every half a minute it asks the store what has ended since, reviews too, and
// measures what of it lies here, wherever it ended. At the node's start that is
// all there is, a page at a time.
#pragma once

#include "actors/ended_output.hpp"
#include "actors/retention.hpp"
#include "messages/upkeep.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>

namespace greenroom {

using output_retention_actor = caf::typed_actor<caf::reacts_to<clock_tick>>;

inline constexpr std::chrono::seconds output_retention_period{30};

/// What a session writes when it ends may be in the store later than the time
/// says at which it did, other nodes' clocks included.
inline constexpr millis longest_end = 10 * 60 * 1000;

struct output_retention_state {
  static inline const char* name = "output-retention";
  std::filesystem::path data_dir;
  ended_reader_actor reader;
  retention_actor retention;
  ended_output kept{0};
  list_ended next;    // the next page
  unix_ms newest = 0; // when the last one ended that has been seen
};

/// To be spawned detached: it works on the disk. Begins at once. `limit`: bytes
/// for each project.
output_retention_actor::behavior_type output_retention(
  output_retention_actor::stateful_pointer<output_retention_state> self,
  std::filesystem::path data_dir, ended_reader_actor reader,
  retention_actor retention, std::uint64_t limit);

} // namespace greenroom
