// A session whose directory somebody takes away while its node is down.
#include "runtime/exec/orphans.hpp"
#include "runtime/store/sessions.hpp"
#include "tests/actors/session/requests.hpp"
#include "tests/actors/small_node.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <array>
#include <filesystem>
#include <string>

using namespace greenroom;
using greenroom::test::await;
using greenroom::test::json_of;
using greenroom::test::on_branch;
using greenroom::test::shell;
using greenroom::test::small_node;

namespace fs = std::filesystem;

TEST_CASE("a session whose directory was removed fails and says so, with all "
          "that ran in it, and others go on") {
  small_node node;
  auto session = node.create(on_branch("work"));
  auto other = node.create(on_branch("other"));
  node.ask<exec_view>(node.find(session),
                      shell("sleep 1000 & echo new > new.txt"));
  node.ask<exec_view>(node.find(other), shell("echo kept > kept.txt"));
  node.restart([&, dir = node.context()->session_dir(session.id)] {
    fs::remove_all(dir);
  });
  auto shown = [&](const session_record& one) {
    return nlohmann::json::parse(
      node.ask<session_view>(node.find(one), get_session{}).json.view());
  };
  nlohmann::json last;
  await("the session's end", [&] {
    last = shown(session);
    return last.contains("ended_at");
  });
  CHECK(last["status"] == "failed");
  CHECK_THAT(last["status_reason"].get<std::string>(),
             Catch::Contains("somebody has removed its directory on node"));
  CHECK(kill_orphans(std::array{session.id}) == 0);
  CHECK(shown(other)["status"] == "active");
  // Once is enough.
  node.restart();
  CHECK(shown(session) == last);
}

TEST_CASE("a session that came to a node that is alone by now goes on, though "
          "its directory is another's") {
  small_node node;
  auto session = node.create(on_branch("work"));
  node.restart([&, dir = node.context()->session_dir(session.id),
                data_dir = node.context()->data_dir,
                name = node.context()->node] {
    fs::remove_all(dir);
    store::connection db{"sqlite3://greenroom.db", data_dir, sync_mode::normal};
    store::take_session(db, session.id, "other");
    store::own_all_sessions(db, name);
  });
  auto exec = node.ask<exec_view>(node.find(session), shell("echo on"));
  CHECK(json_of(exec).value("stdout", "") == "on\n");
}
