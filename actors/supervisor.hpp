// The session supervisor: spawns, watches over, revives and times sessions.
//
// A session's actor that dies of an exception is revived from store and
// timeline after a pause that doubles from crash to crash. One that crashes
// more than `crash_limit` times within `crash_window` is revived a last time
// only to end as `failed`, its work kept.
#pragma once

#include "actors/base/context.hpp"
#include "actors/base/restore_turns.hpp"
#include "messages/moving.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace greenroom {

struct session_args;

inline constexpr std::size_t crash_limit = 5;
inline constexpr millis crash_window = 60 * 1000;
inline constexpr millis first_pause = 50;

/// How often it looks for sessions of the store that have no actor: those that
/// a project had stored and died before it could launch them.
inline constexpr millis look_period = 60 * 1000;

/// Requests for one session that wait for its actor; more are refused as
/// overloaded.
inline constexpr std::size_t max_waiting = 1024;

/// How often it looks for what ended sessions left on disk because it could not
/// be removed or saved then.
inline constexpr millis sweep_period = 60 * 60 * 1000;

/// Sessions whose files are read, or that begin, at a time while a node starts.
inline constexpr std::size_t max_reviving = 16;

/// Told how many sessions of those that were live when the node started have
/// not begun yet; 0 at the end. One that crashed more than `crash_limit` times
/// is not waited for.
using revival_report = std::function<void(std::size_t left)>;

/// The supervisor whole. Besides what messages/supervisor.hpp says, it hears
/// from the directory which projects are gone, and in a cluster which are this
/// node's.
using session_supervisor_full = session_supervisor_core::extend<
  caf::reacts_to<drop_project>,
  // Its live sessions get actors here.
  caf::reacts_to<adopt_project>,
  // What is here of its sessions ends, unsaid
  // and unwritten. Answered when they are told.
  caf::replies_to<release_project>::with<done>,
  // Nothing may run in any session.
  caf::reacts_to<stop_all_runners>,
  // -- as packer_actor
  // How a project's sessions stand.
  caf::replies_to<look_at_sessions>::with<project_sessions>,
  // They make ready to go to another node.
  caf::replies_to<pack_project>::with<project_sessions>,
  // They stay.
  caf::reacts_to<unpack_project>>;

struct supervisor_state {
  static inline const char* name = "session-supervisor";

  using handle_promise = caf::typed_response_promise<session_actor>;

  struct child {
    session_actor handle;  // null while it is being revived
    bool reviving = false; // it is being taken in the store, or soon will be,
                           // or its files are being read
    std::string project_id;
    std::list<unix_ms> crashes;          // within the window, oldest first
    std::vector<handle_promise> waiting; // who asked meanwhile
    unix_ms deadline = 0;                // 0: none
  };

  supervisor_state() = default;
  supervisor_state(const supervisor_state&) = delete;
  supervisor_state& operator=(const supervisor_state&) = delete;

  /// Sessions end with their supervisor; what runs in them lives on.
  ~supervisor_state();

  context_ptr context;
  std::unordered_map<std::string, child> children; // by session id
  std::unordered_map<std::string, project_record> projects;
  // Projects that go to another node, with what was asked of their sessions:
  // those that get an actor meanwhile are asked too.
  std::map<std::string, pack_project> packed;
  std::set<std::pair<unix_ms, std::string>> deadlines;
  std::unordered_map<caf::actor_addr, std::string> ids; // of living children
  // Sessions whose files are being read, by id: what their actors will need.
  std::map<std::string, std::shared_ptr<session_args>> recovering;
  // Whose checkout is made again. Sessions get their actors first.
  std::shared_ptr<restore_turns> turns =
    std::make_shared<restore_turns>(restore_turns::limits{});
  unix_ms next_look = 0; // 0: not before all sessions are back
  // Projects of which the store did not say which sessions live, and when those
  // were made that are looked for.
  std::map<std::string, unix_ms> unseen;
  unix_ms look_again = 0;
  unix_ms next_sweep = 0;
  bool sweeping = false;

  revival_report report;
  std::deque<session_record> to_revive;      // of a node that starts
  std::unordered_set<std::string> not_begun; // those, and who is under way
  std::size_t reviving = 0;                  // at the moment
};

session_supervisor_full::behavior_type session_supervisor(
  session_supervisor_full::stateful_pointer<supervisor_state> self,
  context_ptr context, std::vector<project_record> projects,
  revival_report report);

} // namespace greenroom
