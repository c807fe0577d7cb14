// Looks every second whether the node can write: its store, and the disk of its
// data directory, which holds the timelines. What it finds is for readyz.
//
// On a thread of its own, since a probe waits for the disk.
#pragma once

#include "messages/store.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace greenroom {

/// Why the node cannot serve at the moment, one sentence each. Thread-safe.
class node_health {
public:
  std::vector<std::string> problems() const;
  void set_disk(std::string problem); // empty: none
  void set_store(std::string problem);

  /// How long the store's last change has waited: that of a probe which has
  /// been answered, or of one that has not been.
  std::chrono::milliseconds store_lag() const;
  void store_asked();
  void store_answered();

private:
  using clock = std::chrono::steady_clock;

  mutable std::mutex mutex_;
  std::string disk_;
  std::string store_;
  clock::time_point asked_{}; // of the store; never: nothing is asked
  std::chrono::milliseconds lag_{0};
};

inline constexpr std::chrono::seconds health_period{1};

/// A store that has not answered for so long counts as one that cannot be
/// written.
inline constexpr std::chrono::seconds store_check_timeout{3};

using health_actor = caf::typed_actor<caf::reacts_to<clock_tick>>;

struct health_state {
  static inline const char* name = "health";
  // Not an aggregate: see findings/caf-state-from-actor-address.sh.
  health_state() {}
  bool asking = false; // the store
};

/// To be spawned detached. `check_disk` says why the disk takes nothing, empty:
/// it does; `health` outlives the actor.
health_actor::behavior_type
watch_health(health_actor::stateful_pointer<health_state> self,
             store_writer_actor store, std::function<std::string()> check_disk,
             node_health* health);

} // namespace greenroom
