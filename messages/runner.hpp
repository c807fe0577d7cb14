// What the runner link tells the owner of a runner: a session, or a review that
// runs its command.
#pragma once

#include "messages/inspect.hpp"
#include "messages/ports.hpp"
#include "messages/records.hpp"

#include <caf/typed_actor.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace greenroom {

struct running_exec {
  std::string exec_id;
  std::uint64_t records = 0; // of its output index
  unix_ms started_at = 0;    // 0: it is just being started
};
GREENROOM_INSPECT(running_exec, x.exec_id, x.records, x.started_at)

/// A runner answered: it was started, or had survived the server.
struct runner_up {
  std::vector<running_exec> execs; // what runs in it
};
GREENROOM_INSPECT(runner_up, x.execs)

/// There is no runner: it could not be started or adopted, or it died.
struct runner_down {
  std::string reason;
};
GREENROOM_INSPECT(runner_down, x.reason)

struct exec_started {
  std::string exec_id;
  unix_ms time = 0;
};
GREENROOM_INSPECT(exec_started, x.exec_id, x.time)

struct exec_refused {
  std::string exec_id;
  std::string reason;
};
GREENROOM_INSPECT(exec_refused, x.exec_id, x.reason)

/// The exec's output index has grown to `records`.
struct exec_grown {
  std::string exec_id;
  std::uint64_t records = 0;
};
GREENROOM_INSPECT(exec_grown, x.exec_id, x.records)

struct exec_ended {
  std::string exec_id;
  std::uint64_t records = 0;
  exec_outcome outcome;
};
GREENROOM_INSPECT(exec_ended, x.exec_id, x.records, x.outcome)

/// What write_input wrote, or why not. `ticket` is the session's own.
struct input_written {
  std::uint64_t ticket = 0;
  std::string problem; // empty: all of it was written
};
GREENROOM_INSPECT(input_written, x.ticket, x.problem)

using runner_user_actor = caf::typed_actor<
  // The runner answers, new or adopted, with what runs in it.
  caf::reacts_to<runner_up>,
  // There is no runner (any more).
  caf::reacts_to<runner_down>,
  // A command runs.
  caf::reacts_to<exec_started>,
  // A command could not be started.
  caf::reacts_to<exec_refused>,
  // A command's output log has grown.
  caf::reacts_to<exec_grown>,
  // A command is over, and its output log is complete.
  caf::reacts_to<exec_ended>,
  // Standard input was written, or why not.
  caf::reacts_to<input_written>,
  // The ports that its commands listen on.
  caf::reacts_to<ports_changed>,
  // A connection to one of them, or why not.
  caf::reacts_to<port_connected>>;

} // namespace greenroom
