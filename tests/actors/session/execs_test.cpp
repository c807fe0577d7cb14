// Execs over a session's whole life: its setup, and what is no longer in
// memory.
#include "tests/actors/session/requests.hpp"
#include "tests/actors/small_node.hpp"

#include "actors/runner_link/link.hpp"
#include "actors/session/machine/machine.hpp"
#include "runtime/base/files.hpp"
#include "runtime/base/injected_faults.hpp"
#include "runtime/runner/protocol/exit_record.hpp"
#include "tests/support/eventually.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

using namespace greenroom;
using namespace std::chrono_literals;
using greenroom::test::crash;
using greenroom::test::json_of;
using greenroom::test::on_branch;
using greenroom::test::shell;
using greenroom::test::small_node;

namespace {

std::vector<std::string> all_ids(small_node& node, const session_actor& handle,
                                 std::uint32_t limit) {
  std::vector<std::string> ids;
  list_execs request;
  request.limit = limit;
  do {
    auto page = node.ask<exec_page>(handle, request);
    for (auto& exec : nlohmann::json::parse(page.json.view()))
      ids.push_back(exec["exec_id"]);
    request.cursor = page.next_cursor;
  } while (!request.cursor.empty());
  return ids;
}

start_exec numbered(std::size_t i, const std::string& command) {
  auto request = shell(command);
  request.spec.exec_id = "n" + std::to_string(i);
  return request;
}

} // namespace

TEST_CASE("execs that ended long ago are read from disk, and are the same") {
  small_node node;
  auto session = node.create(on_branch("work"));
  auto handle = node.find(session);
  auto server = shell("until [ -e go ]; do sleep 0.01; done", 0);
  server.spec.exec_id = "server";
  node.ask<exec_view>(handle, server);
  const std::size_t total = session::limits{}.max_finished + 4;
  std::vector<std::string> expected;
  nlohmann::json first;
  for (std::size_t i = 0; i < total; ++i) {
    auto request = numbered(i, "echo " + std::to_string(i));
    auto exec = json_of(node.ask<exec_view>(handle, request));
    REQUIRE(exec["status"] == "exited");
    if (i == 0)
      first = exec;
    expected.push_back(request.spec.exec_id);
  }
  expected.insert(expected.begin(), "server");
  std::ranges::reverse(expected);
  for (bool crashed : {false, true}) {
    if (crashed)
      handle = crash(node, session);
    CHECK(all_ids(node, handle, 0) == expected);
    CHECK(all_ids(node, handle, 100) == expected);
    // The same name is the same exec, with its output; another body is none.
    auto again = json_of(node.ask<exec_view>(handle, numbered(0, "echo 0")));
    CHECK(again == first);
    CHECK(node.refused_by<exec_view>(handle, numbered(0, "echo 1")).code
          == errc::exec_exists);
    CHECK(json_of(node.ask<exec_view>(handle, get_exec{"n1"}))["status"]
          == "exited");
    CHECK(json_of(node.ask<exec_view>(handle, cancel_exec{"n2"}))["status"]
          == "exited");
    CHECK(node.refused_by<exec_view>(handle, signal_exec{"n3", 2}).code
          == errc::conflict);
    CHECK(node.refused_by<exec_view>(handle, get_exec{"n"}).code
          == errc::not_found);
    CHECK(all_ids(node, handle, 0) == expected);
  }
  CHECK(json_of(node.ask<exec_view>(handle, get_exec{"server"}))["status"]
        == "running");
}

TEST_CASE("a project's setup runs once in a new session, and may fail") {
  small_node node{
    [](project_record& rules) { rules.setup = "echo made >> made; exit 3"; }};
  auto session = node.create(on_branch("work"));
  auto handle = node.find(session);
  auto setup = shell("echo made >> made; exit 3");
  setup.spec.exec_id = "setup";
  CHECK(json_of(node.ask<exec_view>(handle, setup))["exit_code"] == 3);
  auto created = test::events_of(node, handle, event_kind::session_created);
  CHECK(created.at(0)["data"]["setup_exec_id"] == "setup");
  CHECK(json_of(node.ask<exec_view>(handle, shell("cat made")))["stdout"]
        == "made\n");
  node.restart();
  handle = node.find(session);
  CHECK(json_of(node.ask<exec_view>(handle, shell("cat made")))["stdout"]
        == "made\n");
  CHECK(all_ids(node, handle, 0).size() == 3);
}

TEST_CASE("what a crash left of an exec that nobody heard of is no obstacle") {
  small_node node;
  auto session = node.create(on_branch("work"));
  auto handle = node.find(session);
  auto dir = node.context()->session_dir(session.id) / "exec" / "n0";
  ensure_dir(dir);
  write_file_atomic(dir / "spec.json", "{\"argv\": [\"fal", 0600, false);
  CHECK(json_of(node.ask<exec_view>(handle, numbered(0, "echo hi")))["stdout"]
        == "hi\n");
}

TEST_CASE("a setup that the disk does not take is run when it does") {
  small_node node{
    [](project_record& rules) { rules.setup = "echo made >> made"; }};
  inject_fault("pwrite", {0ms, ENOSPC});
  auto session = node.create(on_branch("work"));
  auto handle = node.find(session);
  // It was asked to be written down before the answer came.
  test::await("the journal", [&] { return node.journal_lag() == 0ms; });
  auto setup = [&] {
    return json_of(node.ask<exec_view>(handle, get_exec{"setup"}))["status"];
  };
  CHECK(setup() == "queued");
  clear_faults();
  test::await("the setup", [&] { return setup() == "exited"; });
  CHECK(json_of(node.ask<exec_view>(handle, shell("cat made")))["stdout"]
        == "made\n");
}

TEST_CASE("how a command ended is asked again where it cannot be read, but not "
          "for ever") {
  small_node node;
  auto session = node.create(on_branch("work"));
  auto handle = node.find(session);
  auto command = shell("sleep 1000", 0);
  command.spec.exec_id = "long";
  node.ask<exec_view>(handle, command);
  auto status = [&] {
    return json_of(node.ask<exec_view>(handle, get_exec{"long"}))["status"];
  };
  test::await("it to run", [&] { return status() == "running"; });
  // Reading it fails, as where no descriptor is left.
  auto record = node.context()->session_dir(session.id) / "exec/long/exit.json";
  std::filesystem::create_directory(record);
  ::kill(node.runners().process_of(session.id).value(), SIGKILL);
  SECTION("it can be read later") {
    CHECK_FALSE(
      test::eventually([&] { return status() != "running"; }, 1500ms));
    std::filesystem::remove(record);
    write_file_atomic(record, to_json(exit_record{exit_status::exited, 3}),
                      0600, false);
    test::await("its end", [&] { return status() == "exited"; });
  }
  SECTION("it never can") {
    test::await("its end", [&] { return status() == "lost"; });
  }
}
