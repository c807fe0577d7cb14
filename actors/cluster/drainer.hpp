// The drainer: gives a node's projects away, one by one, as their sessions come
// to rest.
//
//   looked at ──→ packed ──→ given: the other node goes on with it
//       ↑           │ (a session cannot go yet, or the store does not give it)
//       └── unpacked
//
// A project is packed while its sessions stand still, which is from just before
// its last checkpoint until the store has given it away: then requests for them
// find the next owner. Whether the store did is looked for where it did not
// say, and until that is known the project stays packed.
//
// Part of the cluster member, which hands on to it what it is asked.
#pragma once

#include "messages/moving.hpp"
#include "messages/time.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <map>
#include <optional>
#include <string>

namespace greenroom {

/// How often it looks at what is left.
inline constexpr std::chrono::milliseconds drain_period{500};

/// A project that could not go is let be for so long.
inline constexpr std::chrono::seconds drain_pause{2};

/// Projects that are on their way at a time.
inline constexpr std::size_t max_moving = 8;

/// The store's reader, as far as it is needed here.
using review_reader_actor =
  caf::typed_actor<caf::replies_to<query_reviews>::with<review_page>>;

struct drainer_options {
  std::string node;
  full_lease_store_actor store;
  packer_actor packer;
  full_member_actor member; // knows the nodes, and is told of what changed
  review_reader_actor reviews = {}; // none: running reviews are not waited for
};

using drainer_actor = caf::typed_actor<
  // Gives away what this node has, or says how it would.
  caf::replies_to<drain_node>::with<drain_plan>,
  // Keeps what is left.
  caf::replies_to<resume_node>::with<drain_plan>,
  // From itself.
  caf::reacts_to<clock_tick>>;

struct drainer_state {
  static inline const char* name = "drainer";
  // Not an aggregate: see findings/caf-state-from-actor-address.sh.
  drainer_state() {}

  /// A project on its way.
  struct moving {
    std::uint64_t epoch = 0; // as this node owns it
    std::string to;
    bool given = false;           // the store is asked to give it away
    bool in_doubt = false;        // whether it did
    std::uint64_t doubted_at = 0; // the last look that was begun before that
    bool stays = false;           // its sessions were told so meanwhile
  };

  drainer_options options;
  bool draining = false;
  caller drained_by; // the last time
  std::optional<std::chrono::steady_clock::time_point> due;
  unix_ms deadline = 0; // the same, for people
  bool looking = false;
  std::uint64_t looks = 0; // that were begun
  bool told_done = false;
  std::map<std::string, moving> on_their_way; // by project
  std::map<std::string, std::chrono::steady_clock::time_point> not_before;
};

drainer_actor::behavior_type
drainer(drainer_actor::stateful_pointer<drainer_state> self,
        drainer_options options);

} // namespace greenroom
