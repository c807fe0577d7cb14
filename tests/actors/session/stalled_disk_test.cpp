// A disk that stalls keeps those waiting who need it, and nobody else.
#include "tests/actors/session/requests.hpp"
#include "tests/actors/small_node.hpp"

#include "runtime/base/injected_faults.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <future>
#include <string>
#include <vector>

using namespace greenroom;
using greenroom::test::json_of;
using greenroom::test::on_branch;
using greenroom::test::shell;
using greenroom::test::small_node;
using namespace std::chrono_literals;

namespace {

struct disk_faults {
  ~disk_faults() {
    clear_faults();
  }
};

// Two sessions that are on different writers, each with a runner that is up.
struct two_sessions {
  two_sessions() {
    std::vector<session_record> made;
    for (int i = 0; other.id.empty(); ++i) {
      made.push_back(node.create(on_branch("work" + std::to_string(i))));
      if (writer_of(made.back()) != writer_of(made.front()))
        other = made.back();
    }
    stalled = made.front();
    for (auto& session : {stalled, other})
      node.ask<exec_view>(node.find(session), shell("true"));
  }

  static std::size_t writer_of(const session_record& session) {
    return journal::writers::index_of(session.id,
                                      journal::writers::default_count);
  }

  std::future<nlohmann::json> run_in_stalled(const std::string& command) {
    return std::async(
      std::launch::async, [this, command, handle = node.find(stalled)] {
        constexpr millis longer_than_the_test = 50'000;
        return json_of(
          node.ask<exec_view>(handle, shell(command, longer_than_the_test)));
      });
  }

  small_node node;
  session_record stalled;
  session_record other;
  disk_faults none_left;
};

bool is_open(const std::future<nlohmann::json>& answer) {
  return answer.wait_for(0s) == std::future_status::timeout;
}

} // namespace

TEST_CASE_METHOD(two_sessions, "a session whose output cannot be read for a "
                               "while keeps no other session waiting") {
  auto handle = node.find(other);
  inject_fault("pread", {5min, 0});
  auto late = run_in_stalled("echo hi");
  REQUIRE(test::eventually([&] { return node.journal_lag() >= 50ms; }));
  for (int i = 0; i < 100; ++i)
    node.ask<session_view>(handle, get_session{});
  for (int i = 0; i < 20; ++i) {
    auto exec = json_of(node.ask<exec_view>(handle, shell("true")));
    CHECK(exec["status"] == "exited");
  }
  // Nor who looks at the stalled one itself.
  node.ask<session_view>(node.find(stalled), get_session{});
  CHECK(is_open(late));
  clear_faults();
  CHECK(late.get()["stdout"] == "hi\n");
}

TEST_CASE_METHOD(two_sessions, "an answer waits until what it promises is "
                               "written, whatever the disk does") {
  inject_fault("pwrite", {5min, 0});
  auto late = run_in_stalled("true");
  REQUIRE(test::eventually([&] { return node.journal_lag() >= 50ms; }));
  node.ask<session_view>(node.find(stalled), get_session{});
  node.ask<session_view>(node.find(other), get_session{});
  CHECK(is_open(late));
  clear_faults();
  CHECK(late.get()["status"] == "exited");
  auto exited =
    test::events_of(node, node.find(stalled), event_kind::exec_exited);
  CHECK(exited.size() == 2);
}

TEST_CASE_METHOD(two_sessions, "a disk that is slow to sync keeps nobody "
                               "waiting") {
  auto handle = node.find(stalled);
  inject_fault("fdatasync", {5min, 0});
  node.ask<exec_view>(handle, shell("true"));
  REQUIRE(test::eventually([&] { return node.sync_lag() >= 500ms; }));
  auto before = node.sync_lag();
  for (int i = 0; i < 20; ++i)
    node.ask<exec_view>(handle, shell("echo " + std::to_string(i)));
  // The first is still not on disk.
  CHECK(node.sync_lag() > before);
}
