// What is refused, in which order, with which words.
#include "tests/api/demo.hpp"
#include "tests/support/traffic.hpp"

using namespace greenroom::test;

namespace {

const std::string bad_duration =
  "expires_in must be a valid duration (e.g., 24h, 7d)";

http_reply create(const node_process& node, const json& body,
                  const std::string& project = "demo") {
  return node.admin().post("/projects/" + project + "/sessions", body);
}

void expect_bad(const http_reply& reply, const std::string& message) {
  expect_refusal(reply, 400, "BAD_REQUEST", message);
}

} // namespace

TEST_CASE("a create is judged in the order of the contract's table") {
  node_options options;
  options.max_active_sessions = 1;
  options.project["protected_branches"] = {"main", "ghost"};
  node_process node{options};
  auto client = node.admin();
  // Every body is wrong in all the ways that come after the one it is about.
  expect_bad(create(node, {{"from_ref", "a..b"}, {"expires_in", "x"}}, "nope"),
             "branch or new_branch is required");
  expect_bad(create(node, {{"branch", ""}, {"new_branch", ""}}, "nope"),
             "branch or new_branch is required");
  expect_bad(
    create(node, {{"branch", "-h"}, {"new_branch", "-h"}, {"expires_in", "x"}},
           "nope"),
    "specify either branch or new_branch, not both");
  auto bad_name = create(node, {{"branch", "-h"}, {"expires_in", "x"}}, "nope");
  expect_bad(bad_name, "branch must not start with '-'");
  expect_bad(client.send("POST", "/projects/nope/sessions", "[1]"),
             "invalid request body");
  expect_bad(create(node, {{"branch", "ghost"}, {"expires_in", "x"}}, "nope"),
             bad_duration);
  expect_bad(create(node, {{"branch", "ghost"}, {"expires_in", "31d"}}, "nope"),
             bad_duration);
  expect_bad(
    create(node, {{"branch", "ghost"}, {"expires_in", "721h"}}, "nope"),
    "expires_in cannot exceed 30 days");
  expect_refusal(create(node, {{"branch", "ghost"}}, "nope"), 404, "NOT_FOUND",
                 "project not found");

  session_user first{node, json{{"branch", "topic"}}};
  expect(200, client.patch("/projects/demo", {{"status", "stopped"}}));
  expect_bad(create(node, {{"branch", "ghost"}}), "project pod is not running");
  expect(200, client.patch("/projects/demo", {{"status", "running"}}));
  expect_refusal(create(node, {{"branch", "ghost"}}), 409, "SESSION_EXISTS",
                 "active session already exists for this project");

  expect(200, client.patch("/projects/demo", {{"max_active_sessions", 9}}));
  node.git({"branch", "deep/er", "main"}); // what is not found is looked for
  expect_refusal(create(node, {{"branch", "ghost"}}), 404, "NOT_FOUND",
                 "branch not found");
  for (auto name : {"topic/below", "topic/far/below"})
    expect_refusal(create(node, {{"new_branch", name}}), 409, "BRANCH_EXISTS",
                   std::string{"new_branch \""} + name
                     + "\" cannot be beside branch \"topic\"; choose another "
                       "new_branch");
  expect_refusal(create(node, {{"new_branch", "deep"}}), 409, "BRANCH_EXISTS",
                 "new_branch \"deep\" cannot be beside branch \"deep/er\"; "
                 "choose another new_branch");
  expect_refusal(create(node, {{"new_branch", "n"}, {"from_ref", "ghost"}}),
                 404, "NOT_FOUND", "branch not found");
  expect_bad(create(node, {{"branch", "main"}}),
             "cannot checkout protected branch");
  expect_bad(create(node, {{"new_branch", "main"}}),
             "cannot checkout protected branch");
  expect_bad(create(node, {{"new_branch", "ghost"}}),
             "cannot checkout protected branch");
  expect_refusal(create(node, {{"branch", "topic"}}), 409, "CHECKOUT_EXISTS",
                 "active checkout already exists for this branch");
  expect(200, client.patch("/projects/demo",
                           {{"protected_branches", {"main", "topic"}}}));
  expect_bad(create(node, {{"branch", "topic"}}),
             "cannot checkout protected branch");
}

TEST_CASE("durations are Go's or whole days") {
  node_process node;
  for (auto bad :
       {"", "0", "0s", "0d", "-1h", "1", "1 h", "h", "1.d", "1.5d", "31d",
        "99999999999999999999h", "1h30", "1e3s", " 1h", "1d1h"}) {
    INFO(bad);
    expect_bad(create(node, {{"new_branch", "x"}, {"expires_in", bad}}),
               bad_duration);
  }
  for (auto good : {"90s", "1h30m", "1.5h", "30d", "720h", "1h1ms", ".5h"}) {
    INFO(good);
    expect(201, create(node, {{"new_branch", "d" + std::to_string(good[0])
                                               + std::string(good).substr(1)},
                              {"expires_in", good}}));
  }
}

TEST_CASE("a body must be one JSON object of known fields") {
  node_options options;
  options.set = {"http.max_body=1MiB"};
  node_process node{options};
  auto client = node.admin();
  session_user session{node, json{{"new_branch", "work"}}};
  for (auto path : {sessions, session.path("/exec"), session.path("/extend")}) {
    auto post = [&](const std::string& body) {
      return client.send("POST", path, body);
    };
    for (std::string bad :
         {"", " ", "null", "[]", "\"text\"", "{", "{}}", "{\"branch\": }",
          "{'a': 1}", "{\"a\": \"\xff\xfe\"}", "{\"branch\": \"\xc0\xaf\"}",
          "{\"branch\": \"\\ud800\"}"}) {
      INFO(path << ' ' << bad);
      expect_bad(post(bad), "invalid request body");
    }
    for (auto open : {"[", "{\"a\":"}) {
      std::string deep = "{\"branch\":";
      for (int i = 0; i < 10'000; ++i)
        deep += open;
      auto reply = post(deep);
      CHECK(reply.status == 400);
      CHECK(reply.code() == "BAD_REQUEST");
    }
    CHECK(post(R"({"branch": "a", "branch": "b"})").message()
          == "field \"branch\" comes twice");
    CHECK(post(R"({"wombat": 1})").message() == "unknown field \"wombat\"");
    CHECK(post("{\"branch\": \"" + std::string(1'500'000, 'x') + "\"}").status
          == 413);
    auto other = client.send("POST", path, "branch=a",
                             "application/x-www-form-urlencoded");
    CHECK(other.status == 415);
    CHECK(other.code() == "UNSUPPORTED_MEDIA_TYPE");
  }
  for (json wrong : {json{{"branch", 1}}, json{{"new_branch", {"a"}}},
                     json{{"new_branch", "a"}, {"labels", {{"a", 1}}}},
                     json{{"new_branch", "a"}, {"labels", "x"}},
                     json{{"new_branch", "a"}, {"preview_port", 0}},
                     json{{"new_branch", "a"}, {"preview_port", 65536}},
                     json{{"new_branch", "a"}, {"preview_port", 80.5}},
                     json{{"new_branch", "a"}, {"preview_port", "80"}},
                     json{{"new_branch", "a"}, {"on_expire", "explode"}},
                     json{{"new_branch", "a"}, {"expires_in", 60}},
                     json{{"new_branch", std::string("a\0b", 3)}}}) {
    INFO(wrong.dump());
    CHECK(create(node, wrong).status == 400);
  }
  CHECK(create(node, {{"new_branch", "a"}}).status == 201);
}

TEST_CASE("ids that are none are refused before anybody looks for them") {
  node_process node;
  auto client = node.admin();
  session_user session{node, json{{"new_branch", "work"}}};
  std::string long_id(5000, 'a');
  for (std::string id :
       {"..", "%2e%2e", "a%00b", "%2e%2e%2fdemo", "Demo", "-demo", "demo-",
        "de_mo", "%ff", "d%20", long_id.c_str()}) {
    INFO(id);
    expect_bad(client.get("/projects/" + id + "/sessions"),
               "invalid project id");
    expect_bad(
      client.post("/projects/" + id + "/sessions", {{"new_branch", "a"}}),
      "invalid project id");
  }
  std::vector<std::string> unknown{"..",
                                   "%2e%2e",
                                   "%00",
                                   session.id() + "%00",
                                   "%2e%2e%2f" + session.id(),
                                   long_id,
                                   std::string(20, 'a'),
                                   std::string(20, 'A')};
  for (auto& id : unknown) {
    INFO(id);
    expect_refusal(client.get(sessions + '/' + id), 404, "NOT_FOUND",
                   "session not found");
    expect_refusal(client.remove(sessions + '/' + id), 404, "NOT_FOUND",
                   "session not found");
    auto exec = client.get(session.path("/execs/" + id));
    CHECK(exec.status == 404);
    CHECK(exec.message() == "exec not found");
  }
  // A session is found in its own project only.
  expect_refusal(client.get("/projects/other/sessions/" + session.id()), 404,
                 "NOT_FOUND", "session not found");
  for (auto path : {"/projects/demo/sessions/%zz", "/projects/%/sessions"})
    CHECK(client.get(path).status == 400);
  CHECK(session.status() == "active");
}

TEST_CASE("names cannot be made into options, commands or other references") {
  node_process node;
  for (auto name : {"-h",   "--upload-pack=x",
                    "a..b", "refs/heads/x",
                    "HEAD", "@",
                    "a b",  "a~1",
                    "a^",   "a:b",
                    "a?",   "a*",
                    "a[",   "a\\b",
                    "a//b", "/a",
                    "a/",   ".a",
                    "a/.b", "a.lock",
                    "a.",   "a@{b",
                    "a\nb", "a\x7f"}) {
    INFO(name);
    for (auto body : {json{{"branch", name}}, json{{"new_branch", name}},
                      json{{"new_branch", "ok"}, {"from_ref", name}}}) {
      // A full name is one, of what a session may begin from.
      if (body.contains("from_ref") && std::string{name}.starts_with("refs/"))
        continue;
      auto reply = create(node, body);
      CHECK(reply.status == 400);
      auto field = body.contains("from_ref") ? "from_ref" : body.begin().key();
      CHECK(reply.message().starts_with(field + " must "));
    }
  }
  CHECK(create(node, {{"new_branch", std::string(5000, 'a')}}).status == 400);
  expect_refusal(create(node, {{"branch", ";touch${IFS}x"}}), 404, "NOT_FOUND",
                 "branch not found");
  // Odd, but a name.
  session_user odd{node, json{{"new_branch", ";id"}}};
  odd.run("echo x > x");
  expect(200, odd.checkin());
  CHECK(node.git({"show", "refs/heads/;id:x"}) == "x");
}

TEST_CASE("a check-in reads its optional body leniently, but not blindly") {
  node_process node;
  auto checkin = [&](const session_user& session, const std::string& body,
                     const std::string& type = "application/json") {
    return node.admin().send("POST", session.path("/checkin"), body, type);
  };
  session_user session{node, json{{"new_branch", "strict"}}};
  expect_bad(checkin(session, R"({"wombat": 1})"), "unknown field \"wombat\"");
  for (auto wrong : {R"({"skip_review": "yes"})", R"({"auto_merge": 1})",
                     R"({"commit_message": []})"}) {
    INFO(wrong);
    CHECK(checkin(session, wrong).status == 400);
  }
  CHECK(session.status() == "active");

  int number = 0;
  for (auto [body, type] :
       {std::pair{"", ""}, std::pair{"", "application/json"},
        std::pair{"{nonsense", "application/json"},
        std::pair{"[1, 2]", "application/json"},
        std::pair{R"({"wombat": 1})", "text/plain"}}) {
    INFO(type << ' ' << body);
    session_user one{node,
                     json{{"new_branch", "c" + std::to_string(++number)}}};
    beside_the_document lenient;
    CHECK(checkin(one, body, type).status == 200);
  }
}

TEST_CASE("a session that is over takes no more work") {
  node_process node;
  auto ways = GENERATE(std::string{"checkin"}, std::string{"delete"});
  session_user session{node, json{{"new_branch", "work"}}};
  expect(200, ways == "delete" ? session.remove() : session.checkin());
  for (int i = 0; i < 2; ++i) {
    expect_bad(session.post("/exec", {{"command", "true"}}),
               "session is not active");
    expect_bad(session.checkin(), "session is not active");
    expect_bad(session.post("/extend", {{"expires_in", "1h"}}),
               "session is not active");
    expect_bad(session.remove(), "session is not active");
  }
}

TEST_CASE("unknown routes are 404, other methods 405 with what is allowed") {
  node_process node;
  auto client = node.admin();
  for (auto path : {"/nothing", "/projects/demo/sessions//", "//projects",
                    "/projects/demo/nothing", "/projects//sessions"}) {
    INFO(path);
    auto reply = client.get(path);
    CHECK(reply.status == 404);
    CHECK(reply.code() == "NOT_FOUND");
  }
  for (auto [method, allowed] :
       {std::pair{"PUT", "GET"}, std::pair{"PUT", "POST"},
        std::pair{"DELETE", "GET"}, std::pair{"PATCH", "HEAD"}}) {
    INFO(method);
    auto reply = client.send(method, sessions, "{}");
    CHECK(reply.status == 405);
    CHECK(reply.code() == "METHOD_NOT_ALLOWED");
    CHECK(reply.headers["allow"].find(allowed) != std::string::npos);
  }
  auto head = client.send("HEAD", sessions, "", "");
  CHECK(head.status == 200);
  CHECK(head.body.empty());
}

TEST_CASE("the request id is the client's where that is sane") {
  node_process node;
  auto id_of = [&](const std::string& wanted) {
    auto reply =
      node.admin().send("GET", sessions, "", "", {{"X-Request-Id", wanted}});
    CHECK(reply.headers["x-request-id"] == reply.all()["meta"]["request_id"]);
    return reply.headers["x-request-id"];
  };
  CHECK(id_of("mine-1") == "mine-1");
  CHECK(id_of("\"quoted\\\"") == "\"quoted\\\"");
  CHECK(id_of(std::string(128, 'x')) == std::string(128, 'x'));
  CHECK(id_of(std::string(129, 'x')) != std::string(129, 'x'));
  CHECK(id_of("two words") != "two words");
  CHECK(!id_of("").empty());
  CHECK(
    eventually([&] { return node.log().find("mine-1") != std::string::npos; }));
}
