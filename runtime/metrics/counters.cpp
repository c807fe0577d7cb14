#include "runtime/metrics/counters.hpp"

#include "runtime/metrics/page.hpp"

namespace greenroom {

namespace {

template <class Enum, std::size_t N>
void add_all(metrics_page& page, std::string_view name, std::string_view help,
             std::string_view label, const counters_of<Enum, N>& all,
             Enum first) {
  for (auto i = static_cast<std::size_t>(first); i < N; ++i) {
    auto which = static_cast<Enum>(i);
    page.counter(name, help, static_cast<double>(all[which].value()),
                 {{std::string{label}, std::string{to_string(which)}}});
  }
}

double as_number(const counter& one) {
  return static_cast<double>(one.value());
}

} // namespace

void add_counters(metrics_page& page, const node_counters& all) {
  add_all(page, "greenroom_events_total",
          "Events of sessions, by type; exec.started counts started commands.",
          "type", all.events, event_kind{});
  add_all(page, "greenroom_sessions_ended_total", "Sessions that are over.",
          "status", all.sessions_ended, session_status::ended);
  page.counter("greenroom_session_crashes_total",
               "Actors of sessions that failed and were made anew.",
               as_number(all.session_crashes));
  add_all(page, "greenroom_execs_ended_total", "Commands that are over.",
          "status", all.execs_ended, exec_status::exited);
  page.counter("greenroom_exec_output_bytes_total",
               "Bytes that commands have printed.",
               as_number(all.output_bytes));
  add_all(page, "greenroom_reviews_ended_total",
          "Reviews that are over; status merged counts merges.", "status",
          all.reviews_ended, review_status::approved);
  for (std::size_t i = 1; i < all.previews.size(); ++i)
    page.counter("greenroom_preview_requests_total",
                 "Requests to previews, by the class of their answer.",
                 as_number(all.previews[i]),
                 {{"status", std::to_string(i) + "xx"}});
  page.gauge("greenroom_preview_connections",
             "Connections to previews that are open.",
             static_cast<double>(
               all.preview_connections.load(std::memory_order_relaxed)));
  page.counter("greenroom_audit_lost_total",
               "Entries of the audit that the store did not take.",
               as_number(all.audit_lost));
  page.counter("greenroom_audit_skipped_total",
               "Requests without a key beyond those that the audit has.",
               as_number(all.audit_skipped));
}

} // namespace greenroom
