// GET /metrics: what Prometheus scrapes.
#include "http/api/handlers.hpp"
#include "http/api/routes.hpp"
#include "http/edge/ask.hpp"
#include "http/edge/node_monitor.hpp"
#include "runtime/base/version.hpp"

#include <array>
#include <numeric>

namespace greenroom::http::handlers {

namespace {

using row = request_counts::row;

/// All threads' counts of one route, in one.
struct totals {
  std::array<std::uint64_t, request_counts::statuses.size()> by_status{};
  std::array<std::uint64_t, request_counts::bounds.size() + 1> by_duration{};
  double seconds = 0;

  void add(const row& counts) {
    auto sum = [](auto& to, const auto& from) {
      for (std::size_t i = 0; i < to.size(); ++i)
        to[i] += from[i].load(std::memory_order_relaxed);
    };
    sum(by_status, counts.by_status);
    sum(by_duration, counts.by_duration);
    seconds +=
      static_cast<double>(counts.nanoseconds.load(std::memory_order_relaxed))
      / 1e9;
  }

  bool empty() const {
    return std::accumulate(by_status.begin(), by_status.end(), std::uint64_t{0})
           == 0;
  }
};

metrics_page::labels labels_of(std::size_t index) {
  if (index == routes().size())
    return {{"method", "other"}, {"route", "none"}};
  auto& which = routes()[index];
  return {{"method", std::string{to_string(which.verb)}},
          {"route", std::string{which.pattern}}};
}

void add_route(metrics_page& page, std::size_t index, const totals& all) {
  for (std::size_t i = 0; i < all.by_status.size(); ++i) {
    if (all.by_status[i] == 0)
      continue;
    auto labels = labels_of(index);
    auto status = request_counts::statuses[i];
    labels.emplace_back("status",
                        status == 0 ? "other" : std::to_string(status));
    page.counter("greenroom_http_requests_total",
                 "Requests to the API, by route and status.",
                 static_cast<double>(all.by_status[i]), std::move(labels));
  }
  page.histogram("greenroom_http_request_duration_seconds",
                 "From a request's arrival to the head of its answer; streams "
                 "and waits go on after that.",
                 request_counts::bounds, all.by_duration, all.seconds,
                 labels_of(index));
}

/// A route that nobody has asked for is left out.
void add_requests(metrics_page& page, const node_monitor& monitor) {
  std::uint64_t connections = 0;
  std::uint64_t streams = 0;
  std::uint64_t waiting = 0;
  for (auto& one : monitor.threads) {
    connections += one->connections;
    streams += one->streams;
    waiting += one->waiting;
  }
  for (std::size_t i = 0; i <= routes().size(); ++i) {
    totals all;
    for (auto& one : monitor.threads)
      all.add((*one)[i]);
    if (!all.empty())
      add_route(page, i, all);
  }
  page.gauge("greenroom_http_connections", "Connections to the API.",
             static_cast<double>(connections));
  page.gauge("greenroom_http_streams",
             "Event streams, outputs, terminals and waits that are open.",
             static_cast<double>(streams));
  page.gauge("greenroom_http_requests_waiting",
             "Requests that wait for the answer of an actor.",
             static_cast<double>(waiting));
}

void add_figures(metrics_page& page, const node_figures& found) {
  if (found.has_sessions) {
    auto add = [&](const char* status, std::uint64_t count) {
      page.gauge("greenroom_sessions", "Sessions of this node that live.",
                 static_cast<double>(count), {{"status", status}});
    };
    add("creating", found.sessions.creating);
    add("active", found.sessions.active);
    add("checking_in", found.sessions.checking_in);
  }
  if (!found.has_load)
    return;
  page.gauge("greenroom_session_actors",
             "Sessions that are in memory, also such as are over.",
             static_cast<double>(found.load.actors));
  page.gauge("greenroom_execs_running", "Commands that run.",
             static_cast<double>(found.load.running_execs));
  page.gauge("greenroom_mailbox_messages",
             "Messages that wait for the sessions' supervisor.",
             static_cast<double>(found.load.mailbox),
             {{"actor", "supervisor"}});
}

void send_page(const exchange_ptr& ex, const node_figures& found) {
  auto& monitor = ex->env.monitor;
  metrics_page page;
  page.gauge("greenroom_build_info", "The version that runs; always 1.", 1,
             {{"version", std::string{greenroom::version()}}});
  add_requests(page, monitor);
  add_counters(page, *monitor.counters);
  add_figures(page, found);
  if (monitor.figures)
    monitor.figures(page);
  response answer;
  answer.content_type = metrics_page::content_type;
  answer.body = page.text();
  ex->send(std::move(answer));
}

} // namespace

void metrics(const exchange_ptr& ex) {
  if (!ex->env.monitor.operations) {
    send_page(ex, {});
    return;
  }
  ask<node_figures>(
    ex, ex->env.monitor.operations, ex->env.options.look_up, get_figures{},
    [ex](const node_figures& found) { send_page(ex, found); },
    [ex](const ask_error&) { send_page(ex, {}); });
}

} // namespace greenroom::http::handlers
