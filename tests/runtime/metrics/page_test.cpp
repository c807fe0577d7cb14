#include "runtime/metrics/page.hpp"

#include "runtime/metrics/counters.hpp"
#include "runtime/metrics/process.hpp"

#include <catch2/catch.hpp>

#include <array>

using namespace greenroom;
using Catch::Contains;

TEST_CASE("a page of metrics has each name once, with all of its samples") {
  metrics_page page;
  page.counter("a_total", "What a is.", 1, {{"of", "x"}});
  page.gauge("b", "What b is.", 2.5);
  page.counter("a_total", "What a is.", 3, {{"of", "y \"quoted\"\n"}});
  CHECK(page.text()
        == "# HELP a_total What a is.\n"
           "# TYPE a_total counter\n"
           "a_total{of=\"x\"} 1\n"
           "a_total{of=\"y \\\"quoted\\\"\\n\"} 3\n"
           "# HELP b What b is.\n"
           "# TYPE b gauge\n"
           "b 2.5\n");
}

TEST_CASE("a histogram's counts add up to the last one") {
  metrics_page page;
  const std::array bounds{0.5, 1.0};
  const std::array<std::uint64_t, 3> counts{2, 0, 5};
  page.histogram("h", "What h is.", bounds, counts, 12.5, {{"of", "x"}});
  auto text = page.text();
  CHECK_THAT(text, Contains("h_count{of=\"x\"} 7\n"));
  CHECK_THAT(text, Contains("h_sum{of=\"x\"} 12.5\n"));
  CHECK_THAT(text, Contains("h_bucket{of=\"x\",le=\"0.5\"} 2\n"));
  CHECK_THAT(text, Contains("h_bucket{of=\"x\",le=\"1\"} 2\n"));
  CHECK_THAT(text, Contains("h_bucket{of=\"x\",le=\"+Inf\"} 7\n"));
}

TEST_CASE("a node's counters are on the page, those that are 0 too") {
  node_counters all;
  all.execs_ended[exec_status::lost].add(2);
  all.events[event_kind::exec_started].add();
  all.previews[4].add();
  metrics_page page;
  add_counters(page, all);
  auto text = page.text();
  CHECK_THAT(text,
             Contains("greenroom_execs_ended_total{status=\"lost\"} 2\n"));
  CHECK_THAT(text,
             Contains("greenroom_execs_ended_total{status=\"exited\"} 0\n"));
  CHECK_THAT(text, Contains("{type=\"exec.started\"} 1\n"));
  CHECK_THAT(text, Contains("{status=\"4xx\"} 1\n"));
  // What has not ended is no end.
  CHECK_THAT(text, !Contains("greenroom_execs_ended_total{status=\"running\"}")
                     && !Contains("{status=\"creating\"}"));
}

TEST_CASE("a process knows what it takes") {
  metrics_page page;
  add_process(page);
  auto text = page.text();
  for (auto name :
       {"process_cpu_seconds_total", "process_start_time_seconds",
        "process_virtual_memory_bytes", "process_resident_memory_bytes",
        "process_open_fds", "process_max_fds"}) {
    INFO(text);
    CHECK_THAT(text, Contains(std::string{"\n"} + name + ' '));
  }
}
