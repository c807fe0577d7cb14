#include "runtime/metrics/webhook_counters.hpp"

#include "runtime/metrics/page.hpp"

namespace greenroom {

void add_counters(metrics_page& page, const webhook_counters& all) {
  auto add = [&](const char* result, const counter& one) {
    page.counter(
      "greenroom_webhook_attempts_total",
      "Attempts to deliver to webhooks, by what came of them; failed "
      "ones were the last.",
      static_cast<double>(one.value()), {{"result", result}});
  };
  add("delivered", all.delivered);
  add("retried", all.retried);
  add("failed", all.failed);
  page.counter("greenroom_webhooks_disabled_total",
               "Webhooks that were disabled because their receivers took "
               "nothing.",
               static_cast<double>(all.disabled.value()));
}

} // namespace greenroom
