// An Idempotency-Key after a failure on our side: the same request once more
// is served, not answered with the failure.
#include "tests/api/demo.hpp"

#include <filesystem>

using namespace greenroom::test;

namespace fs = std::filesystem;

TEST_CASE("what failed for the upstream is served when it is back") {
  node_process node;
  auto away = node.upstream();
  away += ".away";
  auto create = [&] {
    return node.admin().send("POST", sessions, R"({"new_branch": "work"})",
                             "application/json", {{"Idempotency-Key", "k"}});
  };
  fs::rename(node.upstream(), away);
  for (int i = 0; i < 2; ++i) {
    auto failed = create();
    INFO(to_string(failed));
    CHECK(failed.status == 503);
    CHECK(!failed.headers["retry-after"].empty());
  }
  fs::rename(away, node.upstream());
  // One that was slow to fail is left alone for as long as it took.
  http_reply reply;
  await("it to be served", [&] {
    reply = create();
    return reply.status != 503;
  });
  auto made = expect(201, reply).data();
  CHECK(made["status"] == "active");
  CHECK(expect(201, create()).data()["id"] == made["id"]);
}

TEST_CASE("a POST is answered once and for all") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  const header_list key{{"Idempotency-Key", "k"}};
  auto run = [&](const std::string& body) {
    return node.admin().send("POST", session.path("/exec"), body,
                             "application/json", key);
  };
  const std::string body = R"({"command": "echo x >> log", "wait": "60s"})";
  auto first = expect(200, run(body));
  auto again = expect(200, run(body));
  CHECK(again.data() == first.data());
  CHECK(again.headers["idempotency-replayed"] == "true");
  CHECK(run(R"({"command": "true"})").code() == "IDEMPOTENCY_KEY_REUSED");
  CHECK(session.run("cat log")["stdout"] == "x\n");
}
