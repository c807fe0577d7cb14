// What became of the deliveries of webhooks since the node started.
//
// Counted by the deliverer, read when somebody asks for /metrics. Made by the
// composition root, and outlives both.
#pragma once

#include "runtime/metrics/counters.hpp"

namespace greenroom {

struct webhook_counters {
  counter delivered;
  counter retried;  // attempts that failed, and are made again
  counter failed;   // given up
  counter disabled; // webhooks, by the node itself
};

class metrics_page;

void add_counters(metrics_page& page, const webhook_counters& all);

} // namespace greenroom
