// What the files of the session supervisor share; for those only.
//
//   supervisor.cpp          its behaviour, how a session is found, deadlines
//   supervisor_revival.cpp  children: spawned, revived, brought back at a start
//   supervisor_sweep.cpp    what was left behind: in the store, on the disk
//   supervisor_cluster.cpp  what comes from other nodes, and goes to them
#pragma once

#include "actors/session/session.hpp"
#include "actors/supervisor.hpp"

#include <string>

namespace greenroom::supervisor {

using pointer = session_supervisor_full::stateful_pointer<supervisor_state>;
using child = supervisor_state::child;
using handle_promise = supervisor_state::handle_promise;

caf::error no_such_session();

/// Whether another node of the cluster has it: this one must not take it, nor
/// say that there is none.
bool is_elsewhere(const supervisor_state& state, const session_record& record);
caf::error moved_away();

/// When a session wants its next tick; 0: never.
void set_deadline(supervisor_state& state, const std::string& id, child& entry,
                  unix_ms at);

/// Gives a session an actor, and that to all who wait for it.
session_actor spawn_child(pointer self, child& entry, session_args birth);

/// Has a session's files read, and then gives it an actor.
void recover_child(pointer self, child& entry, session_args birth);
void child_recovered(pointer self, const std::string& id);

/// Takes the session in the store and gives it a new actor. Where the store
/// does not answer it is asked again: an outage must not end a session.
void revive(pointer self, const std::string& id);

void child_down(pointer self, const caf::down_msg& down);

/// Those of a project that have no actor get none, whatever of it is under way.
void stop_reviving(pointer self, const std::string& project_id,
                   const caf::error& why);

/// Sessions of a project that is given up are nobody's from now on, those that
/// are awake included.
void retire_children(pointer self, const std::string& project_id);

/// Brings all sessions back that are live in the store, a few at a time.
void reconcile_all(pointer self,
                   caf::typed_response_promise<reconciled> promise);

/// Gives actors to sessions of the store that have none.
void look_for_stranded(pointer self, unix_ms now);

/// Gives actors to the live sessions of one project that have none; later where
/// the store does not answer.
void look_for_stranded_in(pointer self, const std::string& project_id,
                          unix_ms created_before);

/// Where the store did not answer.
void look_again(pointer self);

/// A project is this node's, or another's, from now on.
void adopt(pointer self, const project_record& project);
void release(pointer self, const std::string& project_id);

/// How the live sessions of a project stand.
caf::result<project_sessions> look_at(pointer self,
                                      const std::string& project_id);

/// Has them make ready to go; answered with those that cannot yet.
caf::result<project_sessions> pack(pointer self, const pack_project& what);
void unpack(pointer self, const std::string& project_id);

/// Ends what runs in all sessions; they live on.
void stop_runners(pointer self);

/// Saves and removes what ended sessions left on disk, every sweep_period.
void sweep_if_due(pointer self, unix_ms now);

} // namespace greenroom::supervisor
