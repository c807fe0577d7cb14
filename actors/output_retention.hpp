// Bounds what the output of ended sessions takes on this node's disk: more than
// sessions.keep_output of a project, and that of the session that ended first
// goes. Sessions, timelines and what was rescued stay as long as
// sessions.keep_ended says (retention.hpp).
//
// Every half a minute it asks the store what has ended since, reviews too, and
// measures what of it lies here, wherever it ended. At the node's start that is
// all there is, a page at a time.
#pragma once

#include "actors/ended_output.hpp"
#include "messages/session.hpp"
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
  ended_output kept{0};
  list_ended next;    // the next page
  unix_ms newest = 0; // when the last one ended that has been seen
};

/// To be spawned detached: it works on the disk. Begins at once. `limit`: bytes
/// for each project.
output_retention_actor::behavior_type output_retention(
  output_retention_actor::stateful_pointer<output_retention_state> self,
  std::filesystem::path data_dir, ended_reader_actor reader,
  std::uint64_t limit);

} // namespace greenroom
