// Tickets for streams, on a node as it is.
#include "tests/api/demo.hpp"

#include <string>

using namespace greenroom::test;

TEST_CASE("a ticket dies with its key and is in no log") {
  node_process node{{.sandboxed = false}};
  auto admin = node.admin();
  session_user session{node, json{{"new_branch", "work"}}};
  auto made = expect(201, admin.post("/keys", {{"name", "page"},
                                               {"scopes", {"sessions:read"}}}))
                .data();
  auto page = node.with_key(made["key"]);
  auto ticket = [&] {
    return expect(201,
                  page.post(session.path() + "/stream-ticket", json::object()))
      .data()["ticket"]
      .get<std::string>();
  };
  expect(200, session.post("/exec", {{"command", "echo hello"},
                                     {"exec_id", "e1"},
                                     {"wait", "60s"}}));
  auto nobody = node.with_key("");
  auto spent = ticket();
  auto output = session.path() + "/execs/e1/output?ticket=";
  auto shown = expect(200, nobody.get(output + spent));
  CHECK(shown.body == "hello\n");
  CHECK(nobody.get(output + spent).status == 401);
  auto unused = ticket();
  expect(200, admin.remove("/keys/" + made["id"].get<std::string>()));
  auto late = nobody.get(output + unused);
  CHECK(late.status == 401);
  CHECK_THAT(late.message(), Catch::Contains("stream-ticket"));
  // Each request is in the log, the second refusal as the last one.
  await("the requests in the log", [&] {
    auto text = node.log();
    auto refused = text.find("/execs/e1/output 401 ");
    return refused != std::string::npos
           && text.find("/execs/e1/output 401 ", refused + 1)
                != std::string::npos;
  });
  for (auto& one : {spent, unused})
    CHECK(node.log().find(one) == std::string::npos);
}
