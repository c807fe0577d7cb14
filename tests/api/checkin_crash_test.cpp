// A node that dies at any step of a check-in: the same request once more ends
// in the whole check-in, with one effect, and nothing is left behind.
#include "tests/api/demo.hpp"

#include <filesystem>

using namespace greenroom::test;

namespace {

http_reply check_in(const session_user& session, const node_process& node) {
  return node.admin().send(
    "POST", session.path("/checkin"),
    R"({"auto_merge": true, "skip_review": true, "commit_message": "Mine"})",
    "application/json", {{"Idempotency-Key", "once"}});
}

} // namespace

TEST_CASE("a check-in that a crash cut off is done by its repetition") {
  auto step = GENERATE(values<const char*>(
    {"checkin.started", "checkin.committed", "checkin.imported",
     "checkin.rescued", "checkin.pushed", "checkin.saved", "checkin.reviewed",
     "ending.stored"}));
  INFO(step);
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  auto token = expect(200, session.post("/clone-token", json::object())).data();
  session.run("echo mine > mine.txt; git stash list; echo kept > x; git add x; "
              "git stash -q");
  session.run("echo mine > mine.txt");
  start_with_failpoint(node, step);
  CHECK(is_cut_off([&] { return check_in(session, node); }));
  node.kill9();
  node.start();

  auto done = expect(200, check_in(session, node)).data();
  CHECK(done["status"] == "ended");
  CHECK(done["merge"]["status"] == "merged");
  CHECK(node.git({"rev-parse", "work"}) == done["commit"]);
  CHECK(node.git({"show", "main:mine.txt"}) == "mine");
  CHECK(node.git({"log", "--format=%s", "main..work"}).empty());
  CHECK(node.git({"rev-list", "--count", "--grep=^Mine$", "main"}) == "1");
  // What was not on the branch is kept.
  CHECK(node.git({"show", "refs/greenroom/rescue/" + session.id() + "/stash:x"})
        == "kept");
  auto events = session.watch().rest();
  check_ids(events);
  CHECK(events.back().type == "session.ended");
  CHECK(session.timeline("types=session.ended").size() == 1);
  // Nothing of the session is left: its files, its processes, its token.
  auto dir = node.data_dir() / "sessions" / session.id();
  CHECK(eventually([&] { return !std::filesystem::exists(dir / "checkout"); }));
  CHECK(!std::filesystem::exists(dir / "runner.sock"));
  auto url = token["auth_clone_url"].get<std::string>();
  auto path = url.substr(url.find("/git/")) + "/info/refs";
  CHECK(node.with_key("").get(path + "?service=git-upload-pack").status == 401);
  for (auto repo : {node.upstream(), node.data_dir() / "repos/demo.git"})
    run_git(repo, {"fsck", "--strict"});
}
