// Messages about what goes from one node to another: projects that a node gives
// away, sessions that come to rest for it, and what is noted of their commands.
//
// They extend the interfaces of the cluster member, the session supervisor, the
// sessions and the store; who asks for it casts the handle that it has.
#pragma once

#include "messages/cluster.hpp"
#include "messages/links.hpp"
#include "messages/session.hpp"
#include "messages/store.hpp"

#include <caf/typed_actor.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace greenroom {

/// A node has been given something: it is to look into the store now, and not
/// only when it renews its lease. A hint.
struct owners_changed {
  std::string node;
};
GREENROOM_INSPECT(owners_changed, x.node)

// -- a node gives away what it has --------------------------------------------

/// A session of a project that is to go to another node.
struct moving_session {
  std::string id;
  std::uint32_t running_execs = 0;
  std::string waits_for; // what has to end first; empty: it can go at once
};
GREENROOM_INSPECT(moving_session, x.id, x.running_execs, x.waits_for)

struct moving_project {
  std::string project_id;
  std::string to;                       // the node
  std::vector<moving_session> sessions; // those that live
};
GREENROOM_INSPECT(moving_project, x.project_id, x.to, x.sessions)

/// The node takes no new projects from now on, and gives away those that it
/// has: each as soon as nothing runs in its sessions, or at the deadline.
/// Refused as conflict where no other node is ready. Asked again it has the new
/// deadline.
struct drain_node {
  bool dry_run = false; // only the plan
  millis deadline = 0;  // from now; 0: whatever runs is waited for
  caller by = {};
};
GREENROOM_INSPECT(drain_node, x.dry_run, x.deadline, x.by)

/// What is here stays, and new projects come again.
struct resume_node {
  caller by = {};
};
GREENROOM_INSPECT(resume_node, x.by)

/// What a node that drains has yet to give away.
struct drain_plan {
  node_state state = node_state::ready;
  unix_ms deadline = 0;                 // 0: there is none
  std::vector<moving_project> projects; // by id
};
GREENROOM_INSPECT(drain_plan, x.state, x.deadline, x.projects)

/// The cluster member whole.
using full_member_actor = cluster_member_actor::extend<
  // A node has been given something: this one looks, others are told.
  caf::reacts_to<owners_changed>,
  // Gives away what this node has.
  caf::replies_to<drain_node>::with<drain_plan>,
  // Keeps it.
  caf::replies_to<resume_node>::with<drain_plan>,
  // A session as the store has it, also where its node cannot be asked.
  caf::replies_to<load_session>::with<session_record>>;

/// The links of a node whole.
using full_links_actor = links_core::extend<
  // For this node's member, or by way of another node's links for that one's.
  caf::reacts_to<owners_changed>>;

// -- of the session supervisor ------------------------------------------------

/// How the sessions of a project stand.
struct look_at_sessions {
  std::string project_id;
};
GREENROOM_INSPECT(look_at_sessions, x.project_id)

struct project_sessions {
  std::vector<moving_session> sessions; // those that live
};
GREENROOM_INSPECT(project_sessions, x.sessions)

/// The sessions of a project take no more work, and save what they have where
/// another node finds it. Answered with those that cannot go yet: none means
/// that all have done so, and that nobody was told of anything since.
struct pack_project {
  std::string project_id;
  bool at_once = false; // what runs is ended
  std::string reason;   // which ended commands then have
};
GREENROOM_INSPECT(pack_project, x.project_id, x.at_once, x.reason)

/// They stay, and take work again.
struct unpack_project {
  std::string project_id;
};
GREENROOM_INSPECT(unpack_project, x.project_id)

/// The session supervisor, as whoever moves its projects sees it.
using packer_actor = caf::typed_actor<
  // How a project's sessions stand.
  caf::replies_to<look_at_sessions>::with<project_sessions>,
  // Makes a project ready to go; which of its sessions are not.
  caf::replies_to<pack_project>::with<project_sessions>,
  // It stays.
  caf::reacts_to<unpack_project>>;

// -- of a session, by its supervisor ------------------------------------------

/// What keeps a session from going to another node.
struct look_at_session {};
GREENROOM_INSPECT(look_at_session)

/// It takes no more work, and saves what it has where another node finds it.
struct pack_session {
  bool at_once = false; // what runs is ended
  std::string reason;   // which ended commands then have
};
GREENROOM_INSPECT(pack_session, x.at_once, x.reason)

/// It stays.
struct unpack_session {};
GREENROOM_INSPECT(unpack_session)

struct session_rest {
  bool is_live = true; // else there is nothing to go
  std::uint32_t running_execs = 0;
  std::string waits_for; // what has to end first; empty: it can go
};
GREENROOM_INSPECT(session_rest, x.is_live, x.running_execs, x.waits_for)

/// A session whole.
using full_session_actor = session_core::extend<
  // What it waits for before it can go to another node.
  caf::replies_to<look_at_session>::with<session_rest>,
  // Makes it ready to go, or says why it cannot.
  caf::replies_to<pack_session>::with<session_rest>,
  // It stays here.
  caf::reacts_to<unpack_session>>;

// -- of the store -------------------------------------------------------------

struct list_owners {};
GREENROOM_INSPECT(list_owners)

struct owner_list {
  std::vector<owner_record> owners;             // of all projects, by id
  std::map<std::string, placement_rules> rules; // by project
};
GREENROOM_INSPECT(owner_list, x.owners, x.rules)

/// `ready` or `draining`.
struct declare_state {
  node_state state = node_state::ready;
};
GREENROOM_INSPECT(declare_state, x.state)

/// Another node owns it from then on, with all that lives in it.
struct give_project {
  owner_record project; // as it is this node's
  std::string to;
};
GREENROOM_INSPECT(give_project, x.project, x.to)

struct given_project {
  bool given = false; // else it is not this node's, or the other is not ready
};
GREENROOM_INSPECT(given_project, x.given)

/// The member's connection to the store whole.
using full_lease_store_actor = lease_store_actor::extend<
  // Who owns each project.
  caf::replies_to<list_owners>::with<owner_list>,
  // Says what this node takes.
  caf::replies_to<declare_state>::with<done>,
  // Gives a project to another node.
  caf::replies_to<give_project>::with<given_project>,
  // A session as it is there.
  caf::replies_to<load_session>::with<session_record>>;

/// Notes where all nodes see it how an exec stands. Refused as conflict where
/// another actor has taken the session since.
struct note_exec {
  std::string session_id;
  std::uint64_t epoch = 0;
  std::string exec_id;
  std::string json; // openapi.json's Exec; empty: it is forgotten
};
GREENROOM_INSPECT(note_exec, x.session_id, x.epoch, x.exec_id, x.json)

/// The store's writer, as whoever notes execs sees it.
using exec_notes_actor =
  caf::typed_actor<caf::replies_to<note_exec>::with<done>>;

struct load_notes {
  std::string session_id;
};
GREENROOM_INSPECT(load_notes, x.session_id)

struct exec_notes {
  std::vector<std::string> execs; // as note_exec said, oldest first
};
GREENROOM_INSPECT(exec_notes, x.execs)

/// The store's reader, as whoever goes on with a session sees it.
using noted_execs_actor =
  caf::typed_actor<caf::replies_to<load_notes>::with<exec_notes>>;

} // namespace greenroom
