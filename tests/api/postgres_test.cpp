// A node whose store is PostgreSQL: the main job, and what becomes of it while
// the store is away.
#include "tests/api/demo.hpp"
#include "tests/support/postgres_server.hpp"

using namespace greenroom;
using namespace greenroom::test;
using Catch::Contains;

namespace {

struct postgres_node {
  postgres_server server;
  std::string url = server.make_database();
  node_process node{{.sandboxed = false, .set = {"storage.url=" + url}}};

  bool is_ready() const {
    return node.admin().get("/readyz").status == 200;
  }
};

void expect_unavailable(const http_reply& reply) {
  INFO(to_string(reply));
  CHECK(reply.status == 503);
  CHECK(reply.headers.contains("retry-after"));
  CHECK(reply.all()["error"]["details"]["retryable"] == true);
}

} // namespace

TEST_CASE_METHOD(postgres_node, "a node does its job on PostgreSQL",
                 "[one-node]") {
  session_user user{node, {{"new_branch", "work"}}};
  CHECK(user.run("echo hello > hello.txt && echo done")["stdout"] == "done\n");
  auto ended = session_user{node, {{"new_branch", "other"}}};
  expect(200, ended.remove());

  SECTION("and takes all of it up again") {
    user.start("long", "sleep 600");
    node.kill9();
    node.start();
    await("the node", [&] { return is_ready(); });
    CHECK(user.status() == "active");
    CHECK(user.exec("long")["status"] == "running");
    CHECK(ended.status() == "terminated");
  }
  auto answer = expect(200, user.checkin({{"skip_review", true}})).data();
  CHECK(answer["commit"] == node.git({"rev-parse", "work"}));
  CHECK(user.status() == "ended");
}

TEST_CASE_METHOD(postgres_node, "a node lives on while its store is away",
                 "[one-node]") {
  session_user user{node, {{"new_branch", "work"}}};
  auto fifo = user.new_checkout() / "go";
  user.run("mkfifo go");
  user.start("long", "echo before; cat go; echo after");
  auto events = user.watch();
  server.stop();

  // What needs the store is refused, and says when to come again.
  expect_unavailable(node.admin().post(sessions, {{"new_branch", "next"}}));
  expect_unavailable(user.post("/extend", {{"expires_in", "2h"}}));
  expect_unavailable(node.admin().get(sessions));
  await("readyz to tell", [&] {
    auto reply = node.admin().get("/readyz");
    return reply.status == 503 && reply.body.find("store") != std::string::npos;
  });
  // What does not goes on: reads, commands and their output.
  CHECK(user.status() == "active");
  CHECK(user.exec("long")["status"] == "running");
  user.run("echo middle > go");
  user.await_status("long", "exited");
  CHECK(expect(200, node.admin().get(user.path("/execs/long/output"))).body
        == "before\nmiddle\nafter\n");

  server.start();
  await("the node to heal", [&] { return is_ready(); });
  session_user next{node, {{"new_branch", "next"}}};
  expect(200, user.post("/extend", {{"expires_in", "2h"}}));
  expect(200, user.checkin({{"skip_review", true}}));
  auto seen = events.rest();
  check_ids(seen);
  CHECK(output_of(seen, "long") == "before\nmiddle\nafter\n");
}

TEST_CASE_METHOD(postgres_node,
                 "a node that is alone leaves a cluster's store "
                 "to the cluster",
                 "[one-node]") {
  node.kill9();
  server.execute("INSERT INTO nodes VALUES ('other', '', '', '', '', '', '{}',"
                 " 'ready', 9000000000000000)",
                 url);
  CHECK_THROWS_WITH(node.start(), Contains("in use by node \"other\""));
  // Its lease is over.
  server.execute("UPDATE nodes SET lease_until = 1", url);
  server.execute("UPDATE projects SET owner = 'other'", url);
  node.start();
  session_user user{node, {{"new_branch", "work"}}};
  CHECK(user.run("echo hello")["stdout"] == "hello\n");
}

TEST_CASE("a store that cannot be reached is named without its password",
          "[one-node]") {
  node_options options;
  options.sandboxed = false;
  options.set = {"storage.url=postgresql://ann:s3cret@127.0.0.1:1/green"};
  try {
    node_process node{options};
    FAIL("it started");
  } catch (const std::exception& e) {
    const std::string log = e.what();
    CHECK_THAT(log, Contains("the store cannot be opened")
                      && Contains("\"green\" at 127.0.0.1:1")
                      && !Contains("s3cret"));
  }
}
