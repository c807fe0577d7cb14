// The cluster member: keeps this node's lease, and tells the node what it owns.
//
// The decisions are a function (machine/member.hpp); this performs them. What
// it asks of the store goes to lease_store, which may block; the clock goes on
// here.
#pragma once

#include "actors/base/lease_gate.hpp"
#include "actors/cluster/drainer.hpp"
#include "actors/cluster/machine/arrival.hpp"
#include "actors/cluster/machine/member.hpp"
#include "messages/moving.hpp"
#include "runtime/base/processor_load.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace greenroom {

/// The node's directory, as far as it is needed here: answers when nothing of
/// the project says anything any more.
using releaser_actor =
  caf::typed_actor<caf::replies_to<release_project>::with<done>>;

struct member_options {
  std::string node;
  std::string incarnation; // of this process, under which it joins
  millis lease = 10'000;
  std::vector<owner_record> owned; // what the node has taken up already
  full_lease_store_actor store;
  // What is asked on behalf of clients, so that no renewal waits behind it;
  // none: `store` is.
  full_lease_store_actor look_ups = {};
  releaser_actor releaser;          // of what is this node's no longer
  packer_actor packer;              // of this node's sessions
  review_reader_actor reviews = {}; // see drainer_options
  std::shared_ptr<lease_gate> gate;
  std::shared_ptr<cluster::arrival> arrival =
    std::make_shared<cluster::arrival>();
  // What the node is to do; called on the actor's thread, and may not block.
  std::function<void(project_record)> adopt;
  std::function<void()> stop_runners;
  // After adopt: those of the project that are here only for that.
  std::function<void(const std::string& project_id)> end_lost_sessions =
    [](const std::string&) {};
  // How busy the machine is, which is told to others at each renewal.
  std::function<double()> load = processor_load;
};

struct member_state {
  static inline const char* name = "cluster-member";
  // Not an aggregate: see findings/caf-state-from-actor-address.sh.
  member_state() {}
  member_options options;
  cluster::member machine;
  std::vector<node_watcher_actor> watchers;
  std::vector<owner_record> owners;   // as of the last renewal
  std::map<std::string, bool> linked; // nodes, and whether the link is up
  std::size_t releasing = 0;          // projects that are being let go
  std::set<std::string> to_take_up;   // projects that are this node's, or free
  millis came_at = 0;                 // when it first had its lease; 0: not yet
  drainer_actor drainer;
};

/// The member whole; its own clock among what it hears.
using cluster_member_core =
  full_member_actor::extend<caf::reacts_to<clock_tick>,
                            // Who owns each project, as of the last renewal;
                            // the store is not asked.
                            caf::replies_to<list_owners>::with<owner_list>>;

cluster_member_core::behavior_type
cluster_member(cluster_member_core::stateful_pointer<member_state> self,
               member_options options);

} // namespace greenroom
