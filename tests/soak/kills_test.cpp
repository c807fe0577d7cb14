// The node is killed again and again, at random moments, under running
// commands: what a watcher got is what the log has is what was printed.
#include "tests/api/demo.hpp"
#include "tests/soak/size.hpp"

#include <poll.h>

#include <fstream>
#include <iterator>
#include <random>

using namespace greenroom::test;

namespace {

// Prints 1, 2, 3, … until it is told to stop, and says then how far it came.
std::string counter(const std::string& name) {
  return "i=0; until [ -e stop ]; do i=$((i+1)); echo $i; sleep 0.02; done; "
         "echo $i > "
         + name + ".total";
}

struct watched {
  std::string exec_id;
  std::vector<sse_event> seen;
};

void append(std::vector<sse_event>& to, const std::vector<sse_event>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

std::string counted_to(std::uint64_t last) {
  std::string text;
  for (std::uint64_t i = 1; i <= last; ++i)
    text += std::to_string(i) + '\n';
  return text;
}

} // namespace

TEST_CASE("no byte is lost over random deaths of the node") {
  const int kills = how_many(4, 100);
  const int sessions_count = 4;
  const int counters = 5; // in each session
  node_process node;
  std::vector<session_user> all;
  std::vector<std::vector<watched>> watchers(sessions_count);
  for (int s = 0; s < sessions_count; ++s) {
    all.push_back({node, json{{"new_branch", "soak" + std::to_string(s)}}});
    for (int c = 0; c < counters; ++c) {
      auto id = "count" + std::to_string(c);
      all.back().start(id, counter(id));
      watchers[s].push_back({id, {}});
    }
  }
  std::mt19937 random{20'26};
  std::uniform_int_distribution<int> pause{0, 400};
  for (int k = 0; k < kills; ++k) {
    std::vector<std::vector<sse_client>> streams(sessions_count);
    for (int s = 0; s < sessions_count; ++s)
      for (auto& w : watchers[s]) {
        auto query =
          "exec_id=" + w.exec_id + (w.seen.empty() ? "&from=earliest" : "");
        streams[s].push_back(
          all[s].watch(query, w.seen.empty() ? "" : w.seen.back().id));
      }
    ::poll(nullptr, 0, pause(random));
    node.kill9();
    for (int s = 0; s < sessions_count; ++s)
      for (int c = 0; c < counters; ++c)
        append(watchers[s][c].seen, streams[s][c].rest());
    node.start();
  }
  for (int s = 0; s < sessions_count; ++s) {
    std::ofstream{all[s].checkout() / "stop"};
    for (auto& w : watchers[s]) {
      INFO("session " << s << ", " << w.exec_id);
      auto exec = all[s].await_status(w.exec_id, "exited");
      auto query =
        "exec_id=" + w.exec_id + (w.seen.empty() ? "&from=earliest" : "");
      auto stream = all[s].watch(query, w.seen.empty() ? "" : w.seen.back().id);
      if (w.seen.empty() || w.seen.back().type != "exec.exited")
        append(w.seen, stream.until([](const sse_event& event) {
          return event.type == "exec.exited";
        }));
      std::ifstream total{all[s].checkout() / (w.exec_id + ".total")};
      std::uint64_t last = 0;
      REQUIRE(total >> last);
      auto printed = counted_to(last);
      CHECK(output_of(w.seen, w.exec_id) == printed);
      CHECK(exec["stdout_bytes"] == printed.size());
      CHECK(exec["exit_code"] == 0);
      std::ifstream log{node.data_dir() / "sessions" / all[s].id() / "exec"
                          / w.exec_id / "stdout",
                        std::ios::binary};
      CHECK(std::string{std::istreambuf_iterator<char>{log}, {}} == printed);
    }
  }
}
