// Keys: what each may do and where, when they end, and that nobody else ever
// sees one.
#include "tests/api/demo.hpp"

#include "runtime/base/files.hpp"
#include "runtime/store/batch.hpp"
#include "runtime/store/connection.hpp"

#include <array>
#include <future>
#include <set>
#include <string>
#include <thread>

using namespace greenroom::test;

namespace {

using strings = std::set<std::string>;

const std::string nobody = sessions + "/aaaaaaaaaaaaaaaaaaaa";

struct made_key {
  std::string id;
  std::string secret;
};

made_key make_key(const node_process& node, const json& scopes,
                  const json& more = json::object()) {
  json body{{"name", "test"}, {"scopes", scopes}};
  body.update(more);
  auto made = expect(201, node.admin().post("/keys", body)).data();
  return {made["id"], made["key"]};
}

struct route_case {
  std::string method;
  std::string path;
  strings scopes;
};

// None of these changes anything, whoever asks.
const std::vector<route_case>& routes() {
  static const strings read{"sessions:read", "projects:read", "admin"};
  static const strings change{"sessions:execute", "projects:execute", "admin"};
  static const strings see{"projects:read", "admin"};
  static const strings admin{"admin"};
  static const std::vector<route_case> all{
    {"GET", sessions, read},
    {"POST", sessions, change},
    {"GET", nobody, read},
    {"DELETE", nobody, admin},
    {"POST", nobody + "/checkin", change},
    {"POST", nobody + "/discard", change},
    {"POST", nobody + "/extend", change},
    {"GET", nobody + "/events", read},
    {"GET", nobody + "/timeline", read},
    {"POST", nobody + "/exec", change},
    {"GET", nobody + "/execs", read},
    {"GET", nobody + "/execs/x", read},
    {"DELETE", nobody + "/execs/x", change},
    {"GET", "/projects", see},
    {"POST", "/projects", admin},
    {"GET", "/projects/demo", see},
    {"PATCH", "/projects/demo", admin},
    {"DELETE", "/projects/nope", admin},
    {"GET", "/keys", admin},
    {"POST", "/keys", admin},
    {"DELETE", "/keys/nope", admin},
  };
  return all;
}

http_reply ask(const http_client& client, const route_case& route) {
  auto has_body = route.method == "POST" || route.method == "PATCH";
  return client.send(route.method, route.path, has_body ? "{}" : "",
                     has_body ? "application/json" : "");
}

} // namespace

TEST_CASE("a key's name has one limit") {
  node_process node;
  for (auto length : {1, 100})
    make_key(node, {"sessions:read"}, {{"name", std::string(length, 'x')}});
  for (auto& name :
       {std::string{}, std::string(101, 'x'), std::string(150, 'x'),
        std::string(201, 'x'), std::string{"a\nb"}}) {
    auto refused = node.admin().post(
      "/keys", {{"name", name}, {"scopes", {"sessions:read"}}});
    CHECK(refused.status == 400);
    CHECK_THAT(refused.body,
               Catch::Contains("name must have 1 to 100 bytes, none of them "
                               "control characters"));
  }
}

TEST_CASE("each scope opens the routes of the contract, and no others") {
  node_process node;
  for (std::string scope : {"sessions:read", "sessions:execute",
                            "projects:read", "projects:execute", "admin"}) {
    auto client = node.with_key(make_key(node, {scope}).secret);
    for (auto& route : routes()) {
      INFO(scope << ' ' << route.method << ' ' << route.path);
      auto reply = ask(client, route);
      INFO(to_string(reply));
      if (route.scopes.contains(scope)) {
        CHECK(reply.status != 401);
        CHECK(reply.status != 403);
        CHECK(reply.status < 500);
        continue;
      }
      CHECK(reply.status == 403);
      CHECK(reply.code() == "FORBIDDEN");
      for (auto& would_do : route.scopes)
        CHECK(reply.message().find(would_do) != std::string::npos);
    }
  }
}

TEST_CASE("the key that made a session may discard it, others may not") {
  node_process node;
  auto owner = make_key(node, {"sessions:execute"});
  auto made = expect(
    201, node.with_key(owner.secret).post(sessions, {{"new_branch", "mine"}}));
  session_user session{node, made.data()["id"].get<std::string>()};
  session.run("echo work > file");
  auto path = session.path("/discard");
  auto other = node.with_key(make_key(node, {"sessions:execute"}).secret);
  CHECK(other.post(path, json::object()).status == 403);
  CHECK(session.status() == "active");
  auto done =
    expect(200, node.with_key(owner.secret).post(path, json::object()));
  CHECK(done.data()["rescue_refs"].size() == 1);
  CHECK(session.status() == "terminated");
  CHECK(node.with_key(owner.secret).get("/whoami").data()["id"] == owner.id);
}

TEST_CASE("without a good key every route but the open ones is 401") {
  node_process node;
  for (auto key : {"", "nonsense"})
    for (auto& route : routes()) {
      INFO(key << ' ' << route.method << ' ' << route.path);
      auto reply = ask(node.with_key(key), route);
      CHECK(reply.status == 401);
      CHECK(reply.code() == "UNAUTHORIZED");
      CHECK(!reply.headers["www-authenticate"].empty());
    }
  auto anybody = node.with_key("");
  for (auto path : {"/healthz", "/readyz", "/version", "/openapi.json"})
    CHECK(anybody.get(path).status == 200);
  CHECK(anybody.send("GET", sessions, "", "", {{"X-API-Key", node.admin_key()}})
          .status
        == 200);
  CHECK(anybody
          .send("GET", sessions, "", "",
                {{"Authorization", "bearer " + node.admin_key()}})
          .status
        == 200);
  CHECK(anybody
          .send("GET", sessions, "", "",
                {{"Authorization", "Basic " + node.admin_key()}})
          .status
        == 401);
}

TEST_CASE("a key for some projects sees nothing of the others") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  auto key = make_key(
    node, {"sessions:read", "sessions:execute", "projects:read", "admin"},
    {{"projects", {"other"}}});
  auto client = node.with_key(key.secret);
  for (auto& reply :
       {client.get(sessions), client.post(sessions, {{"new_branch", "x"}}),
        client.get("/projects/demo")})
    expect_refusal(reply, 404, "NOT_FOUND", "project not found");
  for (auto& reply : {client.get(session.path()), client.remove(session.path()),
                      client.post(session.path("/exec"), {{"command", "true"}}),
                      client.get(session.path("/events")),
                      client.get(session.path("/timeline")),
                      client.post(session.path("/checkin"), json::object()),
                      client.get("/projects/other/sessions/" + session.id())})
    expect_refusal(reply, 404, "NOT_FOUND", "session not found");
  CHECK(session.status() == "active");

  expect(201, client.post("/projects/other/sessions", {{"new_branch", "x"}}));
  auto seen = expect(200, client.get("/projects")).data()["projects"];
  REQUIRE(seen.size() == 1);
  CHECK(seen[0]["id"] == "other");
  // It could make itself a key without limits.
  CHECK(client.post("/keys", {{"name", "x"}, {"scopes", {"admin"}}}).status
        == 403);
}

TEST_CASE("a revoked key ends at once, with its open streams") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  auto key = make_key(node, {"sessions:read"});
  auto stays = make_key(node, {"sessions:read"});
  auto events = session.path("/events?from=earliest");
  sse_client stream{node.port(), events, key.secret};
  sse_client other{node.port(), events, stays.secret};
  REQUIRE(stream.next());
  REQUIRE(other.next());
  expect(200, node.admin().remove("/keys/" + key.id));
  CHECK(node.with_key(key.secret).get(session.path()).status == 401);
  CHECK(!stream.next());
  CHECK(node.admin().remove("/keys/" + key.id).status == 404);
  session.run("true");
  CHECK(other.next()->type == "exec.queued");

  SECTION("also over a restart") {
    node.kill9();
    node.start();
    CHECK(node.with_key(key.secret).get(session.path()).status == 401);
    CHECK(node.with_key(stays.secret).get(session.path()).status == 200);
  }
}

TEST_CASE("a key ends when its time is up, with its open streams") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  auto key = make_key(node, {"sessions:read"}, {{"expires_in", "10s"}});
  auto client = node.with_key(key.secret);
  sse_client stream{node.port(), session.path("/events"), key.secret};
  CHECK(stream.status() == 200);
  CHECK(!stream.next());
  CHECK(client.get(session.path()).status == 401);
}

TEST_CASE("keys are checked when they are made") {
  node_process node;
  auto refused = [&](const json& body) {
    INFO(body.dump());
    CHECK(node.admin().post("/keys", body).status == 400);
  };
  refused({{"name", "x"}});
  refused({{"scopes", {"admin"}}});
  refused({{"name", "x"}, {"scopes", json::array()}});
  refused({{"name", "x"}, {"scopes", {"root"}}});
  refused({{"name", "x"}, {"scopes", "admin"}});
  refused({{"name", "x"}, {"scopes", {"admin"}}, {"expires_in", "-1h"}});
  refused({{"name", "x"}, {"scopes", {"admin"}}, {"projects", {"../x"}}});
  refused({{"name", "x"}, {"scopes", {"admin"}}, {"projects", json::array()}});
  CHECK(expect(200, node.admin().get("/keys")).data()["keys"].empty());
}

TEST_CASE("a secret is said once, and is neither logged nor stored") {
  node_options options;
  options.project["env"] = {{"TOKEN", "project-env-5e0c"}};
  node_process node{options};
  auto key = make_key(node, {"sessions:read", "sessions:execute"});
  auto client = node.with_key(key.secret);
  session_user session{node, json{{"new_branch", "work"}}};
  auto exec = client.post(session.path("/exec"),
                          {{"command", "test \"$SECRET$TOKEN\" = "
                                       "exec-env-91abproject-env-5e0c"},
                           {"env", {{"SECRET", "exec-env-91ab"}}},
                           {"wait", "60s"}});
  CHECK(exec.data()["exit_code"] == 0);
  client.post(session.path("/exec"), {{"command", "true"},
                                      {"env", {{"SECRET", "exec-env-91ab"}}},
                                      {"wombat", 1}});
  auto wrong = node.with_key("a-key-that-is-none-77d1").get(sessions);
  CHECK(wrong.status == 401);
  expect(200, session.checkin());
  auto list = node.admin().get("/keys").body;
  CHECK(list.find(key.id) != std::string::npos);
  CHECK(list.find(key.secret) == std::string::npos);
  CHECK(list.find("\"key\"") == std::string::npos);
  node.terminate();

  auto log = node.log();
  CHECK(log.find(session.id()) != std::string::npos);
  for (auto& secret :
       {key.secret, node.admin_key(), std::string{"exec-env-91ab"},
        std::string{"project-env-5e0c"},
        std::string{"a-key-that-is-none-77d1"}}) {
    INFO(secret);
    CHECK(log.find(secret) == std::string::npos);
  }
  for (auto& file :
       std::filesystem::recursive_directory_iterator{node.data_dir()}) {
    if (!file.is_regular_file())
      continue;
    INFO(file.path());
    CHECK(greenroom::read_file(file.path())->find(key.secret)
          == std::string::npos);
  }
}

TEST_CASE("a key that is limited to projects names no repository") {
  node_process node;
  auto key = make_key(node, {"admin"}, {{"projects", {"demo"}}});
  auto limited = node.with_key(key.secret);
  for (auto& repo : {node.upstream().string(),
                     (node.data_dir() / "repos/other.git").string()}) {
    expect_refusal(limited.patch("/projects/demo", {{"repo", repo}}), 403,
                   "FORBIDDEN",
                   "setting a project's repo needs an API key that is not "
                   "limited to projects");
    CHECK(limited.post("/projects", {{"id", "demo2"}, {"repo", repo}}).status
          == 403);
  }
  expect(200, limited.patch("/projects/demo", {{"setup", "true"}}));
}

TEST_CASE("a key that is limited to projects drains no node") {
  node_process node;
  auto key = make_key(node, {"admin"}, {{"projects", {"demo"}}});
  auto limited = node.with_key(key.secret);
  const std::string why =
    "draining a node needs an API key that is not limited to projects";
  for (auto plan : {json{{"dry_run", true}}, json{{"deadline", "1s"}}})
    expect_refusal(limited.post("/nodes/node/drain", plan), 403, "FORBIDDEN",
                   why);
  CHECK(limited.remove("/nodes/node/drain").status == 403);
}

TEST_CASE("no project's repository lies in the data directory") {
  node_process node;
  expect(201, node.admin().post(sessions, {{"new_branch", "work"}}));
  for (std::string repo :
       {(node.data_dir() / "repos/demo.git").string(),
        "file://" + (node.data_dir() / "repos/demo.git").string(),
        (node.data_dir() / "sessions/../repos/demo.git").string()}) {
    expect(200, node.admin().patch("/projects/other", {{"repo", repo}}));
    auto made =
      node.admin().post("/projects/other/sessions", {{"new_branch", "x"}});
    INFO(repo << ": " << to_string(made));
    CHECK(made.status == 400);
    CHECK_THAT(made.message(), Catch::Contains("data directory"));
  }
}

namespace {

// Nobody else can write to the node's store while this lives.
class locked_store {
public:
  explicit locked_store(const node_process& node)
    : thread_([this, dir = node.data_dir()] {
        using namespace greenroom;
        store::connection db{"sqlite3://greenroom.db", dir, sync_mode::normal};
        std::array<store::operation, 1> hold{[this](store::connection&) {
          locked_.set_value();
          release_.get_future().wait();
        }};
        store::run_batch(db, hold);
      }) {
    locked_.get_future().wait();
  }
  locked_store(const locked_store&) = delete;
  locked_store& operator=(const locked_store&) = delete;
  ~locked_store() {
    release_.set_value();
    thread_.join();
  }

private:
  std::promise<void> locked_;
  std::promise<void> release_;
  std::thread thread_;
};

} // namespace

TEST_CASE("a revoked key is dead though the store takes no change",
          "[one-node]") {
  node_process node{{.sandboxed = false}};
  auto key = make_key(node, {"projects:read"});
  auto with_key = node.with_key(key.secret);
  expect(200, with_key.get("/projects"));
  {
    locked_store locked{node};
    auto revoked = std::async(std::launch::async, [&] {
      return node.admin().remove("/keys/" + key.id);
    });
    CHECK(eventually([&] { return with_key.get("/projects").status == 401; }));
    CHECK(eventually([&] {
      auto ready = node.admin().get("/readyz");
      return ready.status == 503
             && ready.message().find("the store cannot be written")
                  != std::string::npos;
    }));
    CHECK(revoked.get().status == 503);
    CHECK(with_key.get("/projects").status == 401);
  }
  // Its row goes by itself.
  CHECK(eventually([&] {
    return node.admin().get("/keys").body.find(key.id) == std::string::npos;
  }));
  CHECK(eventually([&] { return node.admin().get("/readyz").status == 200; }));
}
