// A project that is made anew, or gets another repo, sees nothing of what was
// before it.
#include "tests/api/demo.hpp"
#include "tests/support/temp_dir.hpp"

using namespace greenroom::test;
namespace fs = std::filesystem;

TEST_CASE("a new project of an old id sees nothing of the old one") {
  auto how = GENERATE("deleted", "moved");
  INFO(how);
  node_process node{{.project = {{"review", {{"command", "true"}}}}}};
  auto admin = node.admin();
  session_user old{node, json{{"new_branch", "secret"}}};
  old.run("echo secret > secret.txt");
  expect(200, old.remove());
  auto project = expect(200, admin.get("/projects/demo")).data();
  auto other = expect(200, admin.get("/projects/other")).data();
  REQUIRE(project["repo"] != other["repo"]);
  if (how == std::string{"deleted"}) {
    expect(200, admin.remove("/projects/demo"));
    // On the same node again, where there are several.
    expect(201,
           admin.post("/projects", {{"id", "demo"},
                                    {"repo", other["repo"]},
                                    {"max_active_sessions", 5},
                                    {"node_labels", other["node_labels"]}}));
  } else {
    session_user live{node, json{{"new_branch", "busy"}}};
    expect(409, admin.patch("/projects/demo", {{"repo", other["repo"]}}));
    expect(200, live.remove());
    expect(200, admin.patch("/projects/demo", {{"repo", other["repo"]}}));
  }
  auto check = [&] {
    CHECK(expect(200, admin.get(sessions)).data()["sessions"].empty());
    CHECK(
      expect(200, admin.get("/sessions?limit=200")).data()["sessions"].empty());
    CHECK(admin.get(old.path()).status == 404);
    CHECK(admin.get(old.path("/timeline")).status == 404);
    CHECK(admin.get(old.path("/events")).status == 404);
    CHECK(expect(200, admin.get("/projects/demo/reviews"))
            .data()["reviews"]
            .empty());
  };
  await("the old session to be gone",
        [&] { return admin.get(old.path()).status == 404; });
  check();
  auto rescue = "refs/greenroom/rescue/" + old.id() + "/tree";
  expect(404,
         admin.post(sessions, {{"new_branch", "thief"}, {"from_ref", rescue}}));
  session_user next{node, json{{"new_branch", "work"}}};
  CHECK(
    next.run("git ls-remote origin")["stdout"].get<std::string>().find(old.id())
    == std::string::npos);
  // Not even by the path of the mirror that it borrows objects from.
  CHECK(
    next.run("git -C \"$(dirname \"$(cat .git/objects/info/alternates)\")\" "
             "rev-parse -q --verify "
             + rescue)["exit_code"]
    != 0);
  // It is served from its own mirror, by git as well.
  auto token = expect(200, next.post("/clone-token", json::object())).data();
  temp_dir home;
  run_git(home.path(),
          {"clone", "-q", token["auth_clone_url"].get<std::string>(), "mine"});
  run_git(home.path() / "mine", {"log", "-1"});
  expect(200, next.checkin({{"skip_review", true}}));
  // The configuration file names the first repo, so that is a third project.
  node.kill9();
  node.start();
  for (auto& session : {old, next})
    CHECK(node.admin().get(session.path()).status == 404);
  CHECK(expect(200, node.admin().get(sessions)).data()["sessions"].empty());
}
