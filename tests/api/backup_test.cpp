// A backup that is made while the node works, and a node that goes on from it.
#include "tests/api/demo.hpp"

#include "runtime/base/remove_tree.hpp"
#include "runtime/base/run_command.hpp"
#include "tests/support/build_paths.hpp"

#include <fstream>

using namespace greenroom::test;
using greenroom::command_result;
namespace fs = std::filesystem;

namespace {

command_result greenroom_says(const node_process& node, const std::string& verb,
                              const fs::path& archive,
                              const fs::path& data_dir) {
  greenroom::command what;
  what.argv = {binary_dir() / "greenroom",
               verb,
               "--config",
               node.config_file(),
               "--set",
               "node.data_dir=" + data_dir.string(),
               archive};
  what.env = {"PATH=/usr/bin:/bin"};
  return greenroom::run_command(what);
}

} // namespace

TEST_CASE("a node goes on from a backup that was made while it worked",
          "[one-node]") {
  node_process node;
  auto archive = node.config_file().parent_path() / "backup.tar";
  session_user session{node, json{{"new_branch", "work"}}};
  session.run("echo committed > a && git add a && git -c user.name=Ada "
              "-c user.email=ada@example.org commit -qm Mine");
  session.run("echo dirty > b; mkdir closed; touch closed/c; chmod 0 closed; "
              "mkdir sessions; echo mine > sessions/warm.txt");
  session_user ended{node, json{{"new_branch", "over"}}};
  ended.run("echo kept > c");
  expect(200, ended.remove());
  session.start("busy", "i=0; while :; do echo $i > counter; i=$((i+1)); done");
  session.await_status("busy", "running");
  auto made = greenroom_says(node, "backup", archive, node.data_dir());
  INFO(made.err);
  REQUIRE(made.exit_code == 0);
  CHECK((fs::status(archive).permissions() & fs::perms{077})
        == fs::perms::none);
  CHECK_FALSE(fs::exists(archive.string() + ".partial"));
  auto again = greenroom_says(node, "backup", archive, node.data_dir());
  CHECK(again.exit_code == 1);
  CHECK_THAT(again.err, Catch::Contains("is there already"));
  auto nowhere = archive.parent_path() / "not-mounted";
  auto lost =
    greenroom_says(node, "backup", nowhere / "backup.tar", node.data_dir());
  CHECK(lost.exit_code == 1);
  CHECK_THAT(lost.err, Catch::Contains("there is no directory"));
  CHECK_FALSE(fs::exists(nowhere));
  // What comes later is not in it.
  session_user later{node, json{{"new_branch", "later"}}};
  CHECK(node.terminate() == 0);

  auto full = greenroom_says(node, "restore", archive, node.data_dir());
  CHECK(full.exit_code == 1);
  CHECK_THAT(full.err, Catch::Contains("is not empty"));
  auto elsewhere = node.data_dir().parent_path() / "elsewhere";
  CHECK_THAT(greenroom_says(node, "restore", archive, elsewhere).err,
             Catch::Contains(node.data_dir().string()));
  CHECK_THAT(greenroom_says(node, "restore", node.config_file(), elsewhere).err,
             Catch::Contains("is no backup"));

  auto moved = node.data_dir().parent_path() / "before";
  fs::rename(node.data_dir(), moved);
  auto restored = greenroom_says(node, "restore", archive, node.data_dir());
  INFO(restored.err);
  REQUIRE(restored.exit_code == 0);
  node.start();
  CHECK(session.status() == "active");
  CHECK(ended.status() == "terminated");
  CHECK(node.admin().get(later.path()).status == 404);
  session.await_status("busy", "lost");
  CHECK(session.run("chmod 700 closed; cat a b sessions/warm.txt; "
                    "git log -1 --format=%s")["stdout"]
        == "committed\ndirty\nmine\nMine\n");
  auto events = session.timeline("limit=200");
  for (std::size_t i = 1; i < events.size(); ++i) {
    auto seq_of = [&](std::size_t at) {
      auto id = events[at]["id"].get<std::string>();
      return std::stoull(id.substr(id.find('-') + 1));
    };
    CHECK(seq_of(i) == seq_of(i - 1) + 1);
  }
  expect(200, session.checkin({{"skip_review", true}}));
  CHECK(node.git({"show", "work:a"}) == "committed");
  CHECK(node.git({"show", "work:b"}) == "dirty");
  greenroom::remove_tree(moved);
}

TEST_CASE("what a node writes after others have looked at its store stays",
          "[one-node]") {
  node_process node;
  session_user before{node, json{{"new_branch", "before"}}};
  greenroom::command doctor{
    .argv = {binary_dir() / "greenroom", "doctor", "--config",
             node.config_file(), "--set",
             "node.data_dir=" + node.data_dir().string(), "--set",
             "sandbox.mode=none"},
    .env = {"PATH=/usr/bin:/bin"}};
  CHECK_THAT(greenroom::run_command(doctor).out, Catch::Contains("store"));
  auto archive = node.config_file().parent_path() / "backup.tar";
  REQUIRE(greenroom_says(node, "backup", archive, node.data_dir()).ok());
  session_user after{node, json{{"new_branch", "after"}}};
  expect(200, before.remove());
  node.kill9();
  node.start();
  CHECK(before.status() == "terminated");
  CHECK(after.status() == "active");
  CHECK(after.run("echo here")["stdout"] == "here\n");
}

TEST_CASE("a backup of what is no node's data says so", "[one-node]") {
  node_process node;
  auto archive = node.config_file().parent_path() / "backup.tar";
  auto none = greenroom_says(node, "backup", archive,
                             node.config_file().parent_path() / "nothing");
  CHECK(none.exit_code == 1);
  CHECK_THAT(none.err, Catch::Contains("there is no node's data in"));
  CHECK_FALSE(fs::exists(archive));
}
