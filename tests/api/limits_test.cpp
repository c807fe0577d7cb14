// What one key or project may have, and what is said where it has that.
#include "tests/api/demo.hpp"

using namespace greenroom::test;
using Catch::Contains;

namespace {

struct colleague {
  http_client client;
  std::string id;
};

colleague add_key(const node_process& node) {
  auto made =
    expect(201, node.admin().post(
                  "/keys", {{"name", "Ada"},
                            {"scopes", {"sessions:execute", "sessions:read"}}}))
      .data();
  return {{node.port(), made["key"].get<std::string>()}, made["id"]};
}

http_reply create(const http_client& by, const std::string& branch,
                  const std::string& project = "demo") {
  return by.post("/projects/" + project + "/sessions",
                 {{"new_branch", branch}});
}

} // namespace

TEST_CASE("a key has so many sessions, and which they are is said") {
  node_options options;
  options.sandboxed = false;
  options.set = {"limits.key_sessions=2"};
  node_process node{options};
  auto ada = add_key(node);
  auto first = expect(201, create(ada.client, "a")).data()["id"];
  auto second = expect(201, create(ada.client, "b", "other")).data()["id"];
  auto refused = create(ada.client, "c");
  expect_refusal(refused, 403, "QUOTA_EXCEEDED",
                 "key \"Ada\" (" + ada.id
                   + ") has 2 sessions that live, and its limit is 2 "
                     "(limits.key_sessions): "
                   + second.get<std::string>() + ", " + first.get<std::string>()
                   + "; end one of them first");
  CHECK(refused.all()["error"]["details"]["retryable"] == false);
  // Others have theirs.
  expect(201, create(node.admin(), "c"));
  expect(200, node.admin().remove(sessions + '/' + first.get<std::string>()));
  expect(201, create(ada.client, "d"));
  // After a restart all are known still.
  node.kill9();
  node.start();
  CHECK(create({node.port(), ada.client.key()}, "e").status == 403);
}

TEST_CASE("a key creates so many sessions in a minute, and a project has so "
          "many created") {
  node_options options;
  options.sandboxed = false;
  options.set = {"limits.key_creates=2", "limits.project_creates=3"};
  node_process node{options};
  auto ada = add_key(node);
  expect(201, create(ada.client, "a"));
  // What cannot be created does not count until its body is good.
  expect(400, ada.client.post(sessions, {{"nonsense", true}}));
  expect(201, create(ada.client, "b"));
  auto refused = expect(429, create(ada.client, "c"));
  CHECK(refused.code() == "RATE_LIMITED");
  CHECK_THAT(
    refused.message(),
    Contains("key \"Ada\" (" + ada.id
             + ") has asked for 2 new sessions within a minute, which is "
               "its limit (limits.key_creates); try again in "));
  CHECK(refused.headers["ratelimit-limit"] == "2");
  CHECK(refused.headers["ratelimit-remaining"] == "0");
  auto pause = std::stoi(refused.headers["retry-after"]);
  CHECK((pause > 0 && pause <= 60));
  CHECK(refused.headers["ratelimit-reset"] == refused.headers["retry-after"]);
  auto details = refused.all()["error"]["details"];
  CHECK(details["retryable"] == true);
  CHECK(details["retry_after_ms"] > 1000);

  expect(201, create(node.admin(), "d"));
  refused = expect(429, create(node.admin(), "e"));
  CHECK_THAT(refused.message(), Contains("project \"demo\" has asked for 3 "));
  expect(201, create(node.admin(), "e", "other"));
}

TEST_CASE("a project's commands, and those of a key's sessions, are so many") {
  auto setting = GENERATE("project", "key");
  node_options options;
  options.sandboxed = false;
  options.set = {std::string{"limits."} + setting + "_execs=3",
                 "exec.max_concurrent=1"};
  node_process node{options};
  session_user one{node, json{{"new_branch", "one"}}};
  session_user two{node, json{{"new_branch", "two"}}};
  one.start("a", "sleep 1000");
  one.start("b", "sleep 1000"); // waits
  two.start("c", "sleep 1000");
  auto refused = two.post("/exec", {{"command", "true"}, {"exec_id", "d"}});
  INFO(to_string(refused));
  CHECK(refused.status == 403);
  CHECK(refused.code() == "QUOTA_EXCEEDED");
  CHECK_THAT(refused.message(),
             Contains("has 3 commands that run or wait, and its limit is 3 "
                      "(limits."
                      + std::string{setting} + "_execs): 2 in session "
                      + one.id() + ", 1 in session " + two.id()));
  // What was let in before can be asked for again.
  two.start("c", "sleep 1000");
  expect(200, node.admin().remove(one.path("/execs/b")));
  two.start("d", "sleep 1000");
  CHECK(one.post("/exec", {{"command", "true"}}).status == 403);
  // A node that comes back has counted what ran on.
  node.kill9();
  node.start();
  await("they are adopted",
        [&] { return one.exec("a")["status"] == "running"; });
  CHECK(one.post("/exec", {{"command", "true"}}).status == 403);
  one.remove();
  CHECK(eventually([&] {
    return two.post("/exec", {{"command", "true"}}).status == 202;
  }));
}
