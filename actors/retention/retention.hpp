// Retention: once an hour, it removes sessions that ended longer ago than
// sessions.keep_ended, from the store and from this node's disk, what else lies
// there of sessions that are not in the store any more, and forgets idempotency
// keys and entries of the audit that are too old. Sessions of projects that
// keep too much (size_retention.hpp) go when it is told so.
//
// What was rescued stays in the repositories; work that could be saved nowhere
// else is never removed, and its session stays listed. Who reads a session
// while it goes may see its end cut off; after that it is not found.
#pragma once

#include "actors/base/context.hpp"
#include "messages/upkeep.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace greenroom {

/// A tick with a time has it look as if it were that time.
using retention_actor =
  caf::typed_actor<caf::reacts_to<clock_tick>, caf::reacts_to<forget_sessions>>;

inline constexpr std::chrono::hours retention_period{1};

/// How long what is over is kept.
struct retention_rules {
  millis ended = 0;                // sessions.keep_ended
  millis audit = 0;                // audit.keep; 0: for ever
  std::uint64_t audit_entries = 0; // audit.max_entries
};

struct retention_state {
  static inline const char* name = "retention";
  context_ptr context;
  session_supervisor_actor supervisor;
  retention_rules keep;
  bool busy = false;
  unix_ms due = 0; // what has ended is to be looked at, by that clock; 0: not
  std::deque<std::string> gone;  // no longer in the store, files to be removed
  std::vector<std::string> kept; // they have something here that is not saved
  std::vector<std::string> told; // to go before their time
};

/// It begins at once.
retention_actor::behavior_type
retention(retention_actor::stateful_pointer<retention_state> self,
          context_ptr context, session_supervisor_actor supervisor,
          retention_rules keep);

} // namespace greenroom
