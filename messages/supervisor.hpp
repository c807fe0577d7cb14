// Messages to the session supervisor, and its interface.
//
// One per node: spawns and monitors sessions, revives a crashed one with
// back-off and a limit, and owns the one clock of all sessions' deadlines.
#pragma once

#include "messages/operations.hpp"
#include "messages/session.hpp"

#include <caf/typed_actor.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace greenroom {

/// Answered with the session's handle, awake or revived for this request, or
/// not_found "session not found" (also where it is another project's).
struct find_session {
  std::string project_id;
  std::string session_id;
};
GREENROOM_INSPECT(find_session, x.project_id, x.session_id)

/// Spawns the actor of a session that was just stored as `creating`.
struct launch_session {
  session_record session;
  project_record project;
  caller by = {};
};
GREENROOM_INSPECT(launch_session, x.session, x.project, x.by)

/// A session asks to be sent a clock_tick at a time; 0: never.
struct arm_deadline {
  std::string session_id;
  unix_ms at = 0;
};
GREENROOM_INSPECT(arm_deadline, x.session_id, x.at)

struct get_loads {
  std::vector<std::string> session_ids;
};
GREENROOM_INSPECT(get_loads, x.session_ids)

struct session_loads {
  std::vector<std::uint32_t> running_execs; // in the order asked
};
GREENROOM_INSPECT(session_loads, x.running_execs)

/// The supervisor tells itself that a crashed session's pause is over.
struct revive_session {
  std::string session_id;
};
GREENROOM_INSPECT(revive_session, x.session_id)

/// A journal writer tells the supervisor that it has read a session's files, or
/// that it could not: the session can be given its actor.
struct session_recovered {
  std::string session_id;
};
GREENROOM_INSPECT(session_recovered, x.session_id)

/// Makes an actor of every session that the store calls live, brings each in
/// order with what lies on disk, and answers when the node may serve.
struct reconcile {};
GREENROOM_INSPECT(reconcile)

struct reconciled {
  std::uint32_t sessions = 0;
};
GREENROOM_INSPECT(reconciled, x.sessions)

using session_supervisor_actor = caf::typed_actor<
  // Spawns the actor of a new session.
  caf::replies_to<launch_session>::with<session_actor>,
  // A session's handle; its actor is revived where it is not there.
  caf::replies_to<find_session>::with<session_actor>,
  // Revives all live sessions of this node.
  caf::replies_to<reconcile>::with<reconciled>,
  // How many execs run in each of some sessions.
  caf::replies_to<get_loads>::with<session_loads>,
  // How much there is in all sessions together.
  caf::replies_to<get_load>::with<supervisor_load>,
  // When a session wants its next clock_tick.
  caf::reacts_to<arm_deadline>,
  // A project's settings have changed: passed on to its sessions.
  caf::reacts_to<project_changed>>;

using session_supervisor_core = session_supervisor_actor::extend<
  // A deadline is due.
  caf::reacts_to<clock_tick>,
  // A crashed session's back-off is over.
  caf::reacts_to<revive_session>,
  // A session's files have been read.
  caf::reacts_to<session_recovered>>;

} // namespace greenroom
