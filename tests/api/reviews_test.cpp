// From a check-in to a merge: judged by a command, by a person, or by nobody.
#include "tests/api/demo.hpp"

#include <future>
#include <memory>
#include <vector>

using namespace greenroom::test;

namespace {

const std::string reviews = "/projects/demo/reviews";

node_options with_command(const std::string& command) {
  node_options options;
  options.project = {{"review", {{"command", command}}}};
  return options;
}

/// Checks in one file on a new branch.
json check_in(const node_process& node, const std::string& branch,
              const std::string& file, const std::string& text,
              const json& body) {
  session_user session{node, json{{"new_branch", branch}}};
  session.run("echo '" + text + "' > " + file);
  return expect(200, session.checkin(body)).data();
}

json review(const node_process& node, const std::string& id) {
  return expect(200, node.admin().get(reviews + '/' + id)).data();
}

json await_review(const node_process& node, const std::string& id,
                  const std::string& status) {
  json last;
  await("review " + status, [&] {
    last = review(node, id);
    return last["status"] == status || last.contains("ended_at");
  });
  INFO(last.dump());
  REQUIRE(last["status"] == status);
  return last;
}

http_reply decide(const node_process& node, const std::string& id,
                  const std::string& how, const json& body = json::object()) {
  return node.admin().post(reviews + '/' + id + '/' + how, body);
}

// Moves main in the upstream, as somebody else would.
std::string move_main(const node_process& node) {
  auto other =
    node.git({"commit-tree", "-p", "main", "-m", "Theirs", "main^{tree}"});
  node.git({"update-ref", "refs/heads/main", other});
  return other;
}

} // namespace

TEST_CASE(
  "a session in which nothing was changed is checked in like any other") {
  node_process node{with_command("false")}; // which would reject it
  auto main = node.git({"rev-parse", "main"});
  const bool skipped = GENERATE(false, true);
  session_user session{node, json{{"new_branch", "same"}}};
  auto done = expect(200, session.checkin({{"skip_review", skipped}})).data();
  CHECK(done["commit"] == main);
  CHECK(done["merge"]["status"] == "not_requested");
  CHECK(node.git({"rev-parse", "same"}) == main);
  CHECK(done.contains("review_task_id") != skipped);
  if (skipped)
    return;
  CHECK(done["message"] == "Session ended. Review task queued.");
  auto ended = await_review(node, done["review_task_id"], "approved");
  CHECK(ended["commit"] == main);
}

TEST_CASE("a command that is content has the check-in merged") {
  node_process node{with_command("cat new.txt && test ! -e bad")};
  auto main = node.git({"rev-parse", "main"});
  auto done =
    check_in(node, "work", "new.txt", "hello", {{"auto_merge", true}});
  CHECK(done["message"] == "Session ended. Review task queued.");
  CHECK(done["merge"]["status"] == "queued");
  auto id = done["review_task_id"].get<std::string>();
  auto ended = await_review(node, id, "merged");
  CHECK(ended["commit"] == done["commit"]);
  CHECK(ended["base"] == main);
  CHECK(ended["exit_code"] == 0);
  CHECK(node.git({"rev-parse", "main"}) == ended["merge_commit"]);
  CHECK(node.git({"show", "main:new.txt"}) == "hello");
  auto output = node.admin().get(reviews + '/' + id + "/output");
  CHECK(output.body == "hello\n");
  auto diff = node.admin().get(reviews + '/' + id + "/diff");
  CHECK(diff.body.find("+hello\n") != std::string::npos);
  // Nothing is left of where it was run.
  auto dir = node.data_dir() / "sessions" / id;
  CHECK(eventually([&] { return !std::filesystem::exists(dir / "checkout"); }));
  CHECK(!std::filesystem::exists(dir / "runner.sock"));
}

TEST_CASE("a command that is not content rejects, and main stays") {
  node_process node{with_command("echo no >&2; exit 3")};
  auto main = node.git({"rev-parse", "main"});
  auto done = check_in(node, "work", "a.txt", "a", {{"auto_merge", true}});
  auto ended = await_review(node, done["review_task_id"], "rejected");
  CHECK(ended["exit_code"] == 3);
  CHECK(node.git({"rev-parse", "main"}) == main);
  CHECK(node.git({"rev-parse", "work"}) == done["commit"]);
}

TEST_CASE("a review is set up as a session, and knows what it is about") {
  auto options = with_command(
    "! git push -q origin HEAD:more 2>/dev/null && cat ~/installed; "
    "env | grep GREENROOM_REVIEW | sort");
  // A commit needs a name, a fetch the origin.
  options.project["setup"] = "test ! -e stop || exit 4; git fetch -q origin && "
                             "git commit -q --allow-empty -m setup && "
                             "echo tool >~/installed";
  node_process node{options};
  auto main = node.git({"rev-parse", "main"});
  auto done = check_in(node, "work", "a.txt", "a", json::object());
  auto id = done["review_task_id"].get<std::string>();
  await_review(node, id, "approved");
  CHECK(node.admin().get(reviews + '/' + id + "/output").body
        == "tool\nGREENROOM_REVIEW_BASE=" + main
             + "\nGREENROOM_REVIEW_BRANCH=work\nGREENROOM_REVIEW_COMMIT="
             + done["commit"].get<std::string>() + "\nGREENROOM_REVIEW_ID=" + id
             + "\nGREENROOM_REVIEW_TARGET=main\n");

  auto broken = check_in(node, "more", "stop", "s", json::object());
  auto failed = await_review(node, broken["review_task_id"], "failed");
  CHECK(failed["status_reason"]
        == "the project's setup ended with exit code 4, so the review command "
           "was not run");
}

TEST_CASE("a person approves or rejects what no command judges") {
  node_process node;
  auto first = check_in(node, "one", "one.txt", "1", {{"auto_merge", true}});
  auto second = check_in(node, "two", "two.txt", "2", json::object());
  auto third = check_in(node, "three", "three.txt", "3", json::object());
  auto id = [](const json& done) {
    return done["review_task_id"].get<std::string>();
  };
  CHECK(review(node, id(first))["status"] == "queued");

  auto merged = expect(200, decide(node, id(first), "approve")).data();
  CHECK(merged["status"] == "merged");
  CHECK(node.git({"show", "main:one.txt"}) == "1");

  auto approved = expect(200, decide(node, id(second), "approve")).data();
  CHECK(approved["status"] == "approved");
  auto rejected =
    expect(200, decide(node, id(third), "reject", {{"comment", "not yet"}}))
      .data();
  CHECK(rejected["status"] == "rejected");
  CHECK(rejected["comment"] == "not yet");
  CHECK(decide(node, id(third), "approve").status == 409);
  CHECK(decide(node, std::string(20, 'x'), "approve").status == 404);

  auto list = expect(200, node.admin().get(reviews)).data()["reviews"];
  REQUIRE(list.size() == 3);
  CHECK(list[0]["id"] == id(third));
  auto open = expect(200, node.admin().get(reviews + "?status=queued")).data();
  CHECK(open["reviews"].empty());
}

TEST_CASE("what was approved is merged once somebody asks for it") {
  node_process node;
  auto done = check_in(node, "work", "a.txt", "a", json::object());
  auto id = done["review_task_id"].get<std::string>();
  auto early = decide(node, id, "merge");
  CHECK(early.status == 409);
  CHECK_THAT(early.message(), Catch::Contains("is not approved"));
  CHECK(expect(200, decide(node, id, "approve")).data()["status"]
        == "approved");
  move_main(node);
  CHECK(expect(200, decide(node, id, "merge")).data()["status"] != "approved");
  if (review(node, id)["status"] == "queued") // main has moved: look again
    expect(200, decide(node, id, "approve"));
  await_review(node, id, "merged");
  CHECK(node.git({"show", "main:a.txt"}) == "a");
  auto twice = decide(node, id, "merge");
  CHECK(twice.status == 409);
  CHECK(twice.message() == "the review is over: it was merged into main");
}

TEST_CASE("skip_review with auto_merge merges at check-in") {
  node_process node;
  auto done = check_in(node, "work", "a.txt", "a",
                       {{"auto_merge", true}, {"skip_review", true}});
  CHECK(done["merge"]["status"] == "merged");
  CHECK(node.git({"rev-parse", "main"}) == done["merge"]["commit"]);
  auto kept = check_in(node, "kept", "b.txt", "b", {{"skip_review", true}});
  CHECK(kept["merge"]["status"] == "not_requested");
  CHECK(!kept.contains("review_task_id"));
}

TEST_CASE("a project that requires reviews is not talked out of them") {
  node_options options;
  options.project = {{"review", {{"required", true}}}};
  node_process node{options};
  auto main = node.git({"rev-parse", "main"});
  session_user session{node, json{{"new_branch", "work"}}};
  session.run("echo a > a.txt");
  auto refused = session.checkin({{"auto_merge", true}, {"skip_review", true}});
  CHECK(refused.status == 400);
  CHECK(session.status() == "active");
  CHECK(node.git({"rev-parse", "main"}) == main);
  // Nothing has moved, and nothing was ended for it.
  CHECK(node.git({"branch", "--list", "work"}).empty());
  CHECK(session.run("git log --format=%s -1")["stdout"] == "First\n");
}

TEST_CASE("a branch that becomes protected moves by reviews only") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  session.run("echo a > a.txt");
  expect(200, node.admin().patch("/projects/demo",
                                 {{"protected_branches", {"main", "work"}}}));
  auto refused = session.checkin();
  CHECK(refused.status == 409);
  CHECK_THAT(refused.message(), Catch::Contains("\"work\" is protected now"));
  CHECK(node.git({"branch", "--list", "work"}).empty());
  CHECK(session.status() == "active");
  auto ended = expect(200, session.remove()).data();
  CHECK(ended["rescue_refs"].size() > 0);
}

TEST_CASE("files whose names are no text can be in conflict") {
  node_process node;
  session_user one{node, json{{"new_branch", "one"}}};
  session_user two{node, json{{"new_branch", "two"}}};
  for (auto* each : {&one, &two})
    each->run("echo " + each->id() + " > $'caf\\xe9'");
  const json at_once{{"auto_merge", true}, {"skip_review", true}};
  expect(200, one.checkin(at_once));
  auto second = expect(200, two.checkin(at_once)).data();
  CHECK(second["merge"]["status"] == "conflict");
  CHECK(second["merge"]["files"].size() == 1);
  auto id = node.admin().get(reviews).data()["reviews"][0]["id"];
  CHECK(review(node, id)["files"].size() == 1);
}

TEST_CASE("a merge is in the name of who asked for it") {
  node_process node;
  auto made =
    expect(201,
           node.admin().post("/keys", {{"name", "Grace"},
                                       {"scopes", {"admin"}},
                                       {"author", "Grace H <g@example.org>"}}))
      .data();
  auto grace = node.with_key(made["key"]);
  // Both change something, so that it takes a merge commit.
  auto first = check_in(node, "one", "one.txt", "1", {{"auto_merge", true}});
  move_main(node);
  session_user session{node, json{{"new_branch", "two"}}};
  session.run("echo 2 > two.txt");
  move_main(node);
  expect(200, grace.post(session.path("/checkin"),
                         {{"auto_merge", true}, {"skip_review", true}}));
  CHECK(node.git({"log", "-1", "--format=%an <%ae>", "main"})
        == "Grace H <g@example.org>");
}

TEST_CASE("a review names who checked in and who decided, though keys go") {
  node_process node;
  auto key_named = [&](const char* name) {
    return expect(201, node.admin().post(
                         "/keys",
                         {{"name", name}, {"scopes", {"sessions:execute"}}}))
      .data();
  };
  const auto ada = key_named("Ada");
  const auto bob = key_named("Bob");
  session_user session{node, json{{"new_branch", "work"}}};
  session.run("echo a > a.txt");
  const auto id =
    expect(
      200,
      node.with_key(ada["key"]).post(session.path("/checkin"), json::object()))
      .data()["review_task_id"]
      .get<std::string>();
  const auto path = reviews + '/' + id;
  auto shown = review(node, id);
  CHECK(shown["created_by"] == ada["id"]);
  CHECK(shown["created_by_name"] == "Ada");
  CHECK_FALSE(shown.contains("decided_by_name"));
  expect(200,
         node.with_key(bob["key"]).post(path + "/approve", json::object()));
  expect(200, node.admin().remove("/keys/" + bob["id"].get<std::string>()));
  // Somebody else's merge changes nothing of who has decided.
  expect(200, decide(node, id, "merge"));
  shown = await_review(node, id, "merged");
  CHECK(shown["created_by_name"] == "Ada");
  CHECK(shown["decided_by"] == bob["id"]);
  CHECK(shown["decided_by_name"] == "Bob");
  const auto list = node.admin().get(reviews).data()["reviews"];
  CHECK(list.at(0)["decided_by_name"] == "Bob");
}

TEST_CASE("of two that change the same line one is merged, one conflicts") {
  node_process node;
  session_user one{node, json{{"new_branch", "one"}}};
  session_user two{node, json{{"new_branch", "two"}}};
  one.run("echo one > same.txt");
  two.run("echo two > same.txt");
  const json at_once{{"auto_merge", true}, {"skip_review", true}};
  auto first = expect(200, one.checkin(at_once)).data();
  auto second = expect(200, two.checkin(at_once)).data();
  CHECK(first["merge"]["status"] == "merged");
  CHECK(second["merge"]["status"] == "conflict");
  CHECK(second["merge"]["files"] == json{"same.txt"});
  CHECK(node.git({"show", "main:same.txt"}) == "one");
  CHECK(node.git({"show", "two:same.txt"}) == "two");
  CHECK(two.status() == "ended");
  node.git({"fsck", "--strict"});
  run_git(node.data_dir() / "repos/demo.git", {"fsck", "--strict"});
}

TEST_CASE("all that are checked in at once without a review are merged") {
  node_process node;
  std::vector<std::unique_ptr<session_user>> users;
  for (int i = 0; i < 6; ++i) {
    auto name = std::to_string(i);
    users.push_back(
      std::make_unique<session_user>(node, json{{"new_branch", "b" + name}}));
    users.back()->run("echo " + name + " > " + name + ".txt");
  }
  std::vector<std::future<http_reply>> replies;
  for (const auto& user : users)
    replies.push_back(std::async(std::launch::async, [&user] {
      return user->checkin({{"auto_merge", true}, {"skip_review", true}});
    }));
  for (auto& reply : replies)
    CHECK(expect(200, reply.get()).data()["merge"]["status"] == "merged");
  for (int i = 0; i < 6; ++i)
    CHECK(node.git({"show", "main:" + std::to_string(i) + ".txt"})
          == std::to_string(i));
}

TEST_CASE("what was approved before main moved is looked at once more") {
  node_process node;
  auto done = check_in(node, "work", "a.txt", "a", {{"auto_merge", true}});
  auto id = done["review_task_id"].get<std::string>();
  auto other = move_main(node);
  auto again = expect(200, decide(node, id, "approve")).data();
  CHECK(again["status"] == "queued");
  CHECK(again["base"] == other);
  CHECK(node.git({"rev-parse", "main"}) == other);
  auto merged = expect(200, decide(node, id, "approve")).data();
  CHECK(merged["status"] == "merged");
  CHECK(node.git({"merge-base", "main", other}) == other);
  CHECK(node.git({"show", "main:a.txt"}) == "a");
}

TEST_CASE("a review that the node's death cuts off is taken up again") {
  node_process node{with_command("sleep 1")};
  auto done = check_in(node, "work", "a.txt", "a", {{"auto_merge", true}});
  auto id = done["review_task_id"].get<std::string>();
  CHECK(review(node, id)["status"] == "running");
  node.kill9();
  node.start();
  await_review(node, id, "merged");
  CHECK(node.git({"show", "main:a.txt"}) == "a");
}
