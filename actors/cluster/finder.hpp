// The directory of a node in a cluster: finds the actors of any project and
// session, on whichever node they are.
//
// It stands before the node's own directory, with the same interface, and asks
// the cluster member who owns a project: what is this node's, or nobody's yet,
// is the own directory's to answer, all else the owner's. A session of another
// node has one actor here (remote_session.hpp), a project's handle is of the
// actor there; who keeps them watches them, and asks again when they are down.
// A session's actor here goes down with the one there, or once the project is
// another node's: a node that is cut off from the store keeps its links, and
// may not know that it has lost what it had.
//
// An owner that is not reachable is refused as unavailable, by name: that it
// has failed is for the member to find.
//
// Settings of projects are read from the store, which all nodes share, since
// the owner need not be reachable for that.
#pragma once

#include "messages/left_on_disk.hpp"
#include "messages/links.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace greenroom {

/// How often it is looked whose the sessions are that it keeps; the member
/// knows as of the last renewal of the lease.
inline constexpr std::chrono::seconds owners_period{1};

/// How long another node may take to find one of its actors. It may have to be
/// revived for that.
inline constexpr std::chrono::seconds find_timeout{8};

/// How long it may take to remove what lies on a disk, or to measure it.
inline constexpr std::chrono::seconds disk_timeout{150};

struct finder_options {
  std::string node;    // this one
  directory_actor own; // of what is on this node
  cluster_member_actor member;
  links_actor links;
  /// All projects as the store has them, oldest first. Called on a thread of
  /// its own; may throw.
  std::function<std::vector<project_record>()> read_projects;
};

struct finder_state {
  static inline const char* name = "finder";

  finder_state() = default;
  finder_state(const finder_state&) = delete;
  finder_state& operator=(const finder_state&) = delete;
  ~finder_state();

  struct kept {
    std::string project_id;
    std::uint64_t epoch = 0; // of the project, when it was found
    session_actor handle;    // a remote_session
  };

  finder_options options;
  std::unordered_map<std::string, kept> sessions; // of other nodes, by id
  caf::typed_actor<caf::replies_to<list_projects>::with<project_list>> reader;
};

/// The finder whole; its own clock among what it hears.
using finder_actor = directory_actor::extend<
  caf::reacts_to<clock_tick>,
  // On the disk of the node that they name.
  caf::replies_to<drop_left_work>::with<done>,
  caf::replies_to<measure_left_work>::with<kept_files_list>>;

finder_actor::behavior_type
finder(finder_actor::stateful_pointer<finder_state> self,
       finder_options options);

} // namespace greenroom
