// Messages of operators' questions to a node, and the interface of who answers
// them.
#pragma once

#include "messages/audit.hpp"
#include "messages/common.hpp"
#include "messages/events.hpp"

#include <caf/typed_actor.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace greenroom {

/// How many sessions are in a state.
struct count_sessions {
  std::string node;
};
GREENROOM_INSPECT(count_sessions, x.node)

/// Of the states in which a session is live.
struct session_counts {
  std::uint64_t creating = 0;
  std::uint64_t active = 0;
  std::uint64_t checking_in = 0;
};
GREENROOM_INSPECT(session_counts, x.creating, x.active, x.checking_in)

/// Which sessions there are to watch: those that live, those that were created
/// since, and `also` these; or, where some are named, those. All of `projects`,
/// where some are named. With them, what no session tells of.
struct find_live {
  std::vector<std::string> projects;
  std::vector<std::string> sessions;
  unix_ms created_since = 0; // 0: never
  std::vector<std::string> also;
  std::uint64_t events_after = no_project_events;

  static constexpr std::uint64_t no_project_events = INT64_MAX;
};
GREENROOM_INSPECT(find_live, x.projects, x.sessions, x.created_since, x.also,
                  x.events_after)

/// What happened in a project outside the life of a session; see
/// runtime/store/project_events.hpp.
struct project_event {
  std::uint64_t number = 0; // grows, over all projects
  std::string project_id;
  std::string session_id; // empty: it is about none
  std::string type;       // as `review.finished`
  unix_ms time = 0;
  std::vector<event_field> fields;
  friend bool operator==(const project_event&, const project_event&) = default;
};
GREENROOM_INSPECT(project_event, x.number, x.project_id, x.session_id, x.type,
                  x.time, x.fields)

struct live_session {
  std::string project_id;
  std::string session_id;
  unix_ms created_at = 0;
};
GREENROOM_INSPECT(live_session, x.project_id, x.session_id, x.created_at)

struct live_list {
  std::vector<live_session> sessions; // each once
  std::vector<project_event> events;  // oldest first, a page of them
  std::uint64_t last_event = 0; // the newest number; not younger than these
};
GREENROOM_INSPECT(live_list, x.sessions, x.events, x.last_event)

/// What the supervisor has at the moment.
struct get_load {};
GREENROOM_INSPECT(get_load)

struct supervisor_load {
  std::uint64_t actors = 0; // of sessions, also of such as are over
  std::uint64_t running_execs = 0;
  std::uint64_t mailbox = 0; // messages that wait behind this one
};
GREENROOM_INSPECT(supervisor_load, x.actors, x.running_execs, x.mailbox)

struct get_figures {};
GREENROOM_INSPECT(get_figures)

/// A part that does not answer in time is not known.
struct node_figures {
  bool has_sessions = false;
  session_counts sessions;
  bool has_load = false;
  supervisor_load load;
};
GREENROOM_INSPECT(node_figures, x.has_sessions, x.sessions, x.has_load, x.load)

/// One per node.
using operations_actor = caf::typed_actor<
  // What there is now, within figures_timeout.
  caf::replies_to<get_figures>::with<node_figures>,
  // Which sessions there are to watch.
  caf::replies_to<find_live>::with<live_list>,
  // Keeps entries of the audit.
  caf::replies_to<add_audit>::with<done>,
  // A page of the audit.
  caf::replies_to<query_audit>::with<audit_page>>;

} // namespace greenroom
