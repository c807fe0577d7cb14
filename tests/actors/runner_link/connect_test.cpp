// A runner that cannot be started, and one that can be again.
#include "tests/actors/session/requests.hpp"
#include "tests/actors/small_node.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

using namespace greenroom;
using greenroom::test::json_of;
using greenroom::test::on_branch;
using greenroom::test::shell;
using greenroom::test::small_node;

namespace fs = std::filesystem;

TEST_CASE("what keeps a runner from being started is told, and the next "
          "command tries anew") {
  small_node node;
  auto session = node.create(on_branch("work"));
  auto handle = node.find(session);
  auto home = node.context()->data_dir / "sessions" / session.id / "home";
  fs::remove_all(home);
  std::ofstream{home} << "in the way";
  auto refusal = node.refused_by<exec_view>(handle, shell("true"));
  CHECK(refusal.code == errc::unavailable);
  CHECK_THAT(refusal.message,
             Catch::StartsWith("the session's runner cannot be started: ")
               && Catch::Contains(home.string()));
  fs::remove(home);
  CHECK(json_of(node.ask<exec_view>(handle, shell("true")))["status"]
        == "exited");
}
