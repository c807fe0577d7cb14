// A node that dies at any step of a create: the same request once more makes
// the session that the first one would have made, and no second one.
#include "tests/api/demo.hpp"

#include <filesystem>

using namespace greenroom::test;

namespace {

http_reply create(const node_process& node) {
  return node.admin().send("POST", sessions, R"({"new_branch": "work"})",
                           "application/json", {{"Idempotency-Key", "once"}});
}

} // namespace

TEST_CASE("a create that a crash cut off is done by its repetition") {
  auto step =
    GENERATE(values<const char*>({"create.admitted", "create.inserted",
                                  "create.launched", "create.active"}));
  INFO(step);
  node_process node{{.max_active_sessions = 1}};
  start_with_failpoint(node, step);
  // The step is there: nobody answers.
  CHECK(is_cut_off([&] { return create(node); }));
  node.kill9();
  node.start();

  auto made = expect(201, create(node)).data();
  CHECK(made["status"] == "active");
  auto again = expect(201, create(node)).data();
  CHECK(again["id"] == made["id"]);
  CHECK(again["auth_clone_url"] != made["auth_clone_url"]);
  auto all = expect(200, node.admin().get(sessions)).data()["sessions"];
  REQUIRE(all.size() == 1);
  CHECK(all[0]["id"] == made["id"]);
  CHECK(all[0]["branch"] == "work");
}

// It may have been answered by then, so it has to be there afterwards, and
// whole even where a power cut took what was not on disk yet.
TEST_CASE("a session whose checkout was not on disk yet gets it made anew") {
  node_process node;
  start_with_failpoint(node, "create.made");
  try {
    create(node);
  } catch (const std::runtime_error&) {
  }
  node.kill9();
  auto all = std::filesystem::directory_iterator{node.data_dir() / "sessions"};
  auto checkout = all->path() / "checkout";
  auto partial = all->path() / "checkout.partial";
  CHECK_FALSE(std::filesystem::exists(checkout));
  REQUIRE(std::filesystem::exists(partial));
  for (auto& entry : std::filesystem::recursive_directory_iterator{partial})
    if (entry.is_regular_file())
      std::filesystem::resize_file(entry.path(), 0);
  node.start();

  session_user session{
    node, expect(201, create(node)).data()["id"].get<std::string>()};
  CHECK(session.get()["status"] == "active");
  CHECK(session.run("git status --porcelain; git log -1 --format=%s")["stdout"]
        == node.git({"log", "-1", "--format=%s", "main"}) + "\n");
  CHECK_FALSE(std::filesystem::exists(partial));
}
