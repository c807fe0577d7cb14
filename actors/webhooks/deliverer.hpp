// The deliverer of webhooks: sends what is due, and keeps what came of it.
//
// One per node; in a cluster it sends for the projects that the node owns. What
// waits lies in the store, so a crash loses nothing: what was under way is sent
// again, with the same id. Of a session's deliveries to one receiver the next
// one goes when the one before was taken or given up. It sends nothing itself
// (see runtime/webhooks/outgoing.hpp) and blocks nobody; when what follows an
// attempt is decided in runtime/webhooks/schedule.hpp.
#pragma once

#include "actors/base/context.hpp"
#include "messages/webhooks.hpp"
#include "runtime/metrics/webhook_counters.hpp"
#include "runtime/webhooks/outgoing.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>

namespace greenroom {

/// How often it looks at what is due, beside when it is told that there is
/// something; and how often it removes what is over.
inline constexpr std::chrono::seconds deliverer_period{1};
inline constexpr std::chrono::seconds deliveries_trim_period{60};

/// Deliveries that may wait for one receiver; beyond that it is disabled.
inline constexpr std::uint32_t max_pending_deliveries = 10'000;

struct deliverer_rules {
  webhook_writer_actor store;
  webhook_reader_actor reader;
  std::string owner; // this node, in a cluster; else empty
  outgoing_post post;
  millis give_up_after = 0;
  millis keep = 0;
  std::uint32_t max_ended = 1000;
  webhook_counters* counters = nullptr; // outlives the actor; may be null
};

struct deliverer_state {
  static inline const char* name = "webhook-deliverer";
  // Not an aggregate: see findings/caf-state-from-actor-address.sh.
  deliverer_state() {}

  struct attempt {
    due_delivery what;
    unix_ms began_at = 0;
    std::optional<end_attempt> result; // once it is over; kept in the store
    // Of a test: who waits for it.
    std::optional<caf::typed_response_promise<delivery_record>> asker;
  };

  context_ptr context;
  deliverer_rules rules;
  // From when it is sent until its result is in the store, by delivery.
  std::map<std::string, attempt> under_way;
  std::size_t tests_to_begin = 0; // the store was asked to note them
  std::map<std::string, std::size_t> of_share; // under way, by share_of()
  bool looking = false;
  bool look_again = false;
  std::set<std::string> settled; // while it looks: what it finds may be older
  bool store_away = false;       // as was logged
  unix_ms trimmed_at = 0;
  std::minstd_rand jitter;
};

/// It begins at once.
webhooks_core::behavior_type
deliverer(webhooks_core::stateful_pointer<deliverer_state> self,
          context_ptr context, deliverer_rules rules);

} // namespace greenroom
