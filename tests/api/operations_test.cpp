// What operators see of a node: its metrics, and the audit.
#include "tests/api/demo.hpp"
#include "tests/support/build_paths.hpp"

#include <cstdint>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

using namespace greenroom::test;
using Catch::Contains;

namespace {

std::string metrics_of(const node_process& node) {
  return expect(200, node.admin().get("/metrics")).body;
}

/// The sample that begins so, -1 where there is none.
double sample(const std::string& page, const std::string& name) {
  std::istringstream lines{page};
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(name + ' '))
      return std::stod(line.substr(name.size() + 1));
  return -1;
}

http_client with_scopes(const node_process& node, const json& scopes,
                        const json& more = json::object()) {
  json body{{"name", "some"}, {"scopes", scopes}};
  body.update(more);
  auto made = expect(201, node.admin().post("/keys", body)).data();
  return {node.port(), made["key"].get<std::string>()};
}

json audit(const node_process& node, const std::string& query = {}) {
  return expect(200, node.admin().get("/audit?" + query)).data()["entries"];
}

/// Of the entries that the query finds, those with this method and route.
json await_entry(const node_process& node, const std::string& method,
                 const std::string& route, int status,
                 const std::string& query = {}) {
  json found;
  await(method + ' ' + route + " in the audit", [&] {
    for (auto& entry : audit(node, query))
      if (entry["method"] == method && entry["route"] == route
          && entry["status"] == status)
        found = entry;
    return !found.is_null();
  });
  return found;
}

const std::string session_route = "/projects/{id}/sessions/{sid}";

} // namespace

TEST_CASE("metrics say what a node has done", "[one-node]") {
  node_process node{{.sandboxed = false}};
  session_user session{node, json{{"branch", "topic"}}};
  session.run("echo hello");
  CHECK(session.run("exit 3")["exit_code"] == 3);
  node.admin().get("/projects/demo/sessions/none");
  std::string page;
  auto value = [&](const std::string& name) { return sample(page, name); };
  // What a session has done is counted a little after the answers.
  eventually([&] {
    page = metrics_of(node);
    return value(R"(greenroom_execs_ended_total{status="exited"})") == 2
           && value(R"(greenroom_events_total{type="exec.started"})") == 2
           && value("greenroom_exec_output_bytes_total") == 6
           && value("greenroom_execs_running") == 0;
  });
  INFO(page);
  CHECK(value(R"(greenroom_http_requests_total{method="POST",route=)"
              R"("/projects/{id}/sessions/{sid}/exec",status="200"})")
        == 2);
  CHECK(value(R"(greenroom_http_requests_total{method="GET",route=)"
              R"("/projects/{id}/sessions/{sid}",status="404"})")
        == 1);
  CHECK(value(R"(greenroom_http_request_duration_seconds_count{method="POST",)"
              R"(route="/projects/{id}/sessions/{sid}/exec"})")
        == 2);
  CHECK(value(R"(greenroom_sessions{status="active"})") == 1);
  CHECK(value("greenroom_execs_running") == 0);
  CHECK(value("greenroom_runners") == 1);
  CHECK(value("greenroom_ready") == 1);
  CHECK(value(R"(greenroom_execs_ended_total{status="exited"})") == 2);
  CHECK(value(R"(greenroom_events_total{type="exec.started"})") == 2);
  CHECK(value("greenroom_exec_output_bytes_total") == 6);
  CHECK(value(R"(greenroom_lag_seconds{of="journal"})") >= 0);
  CHECK(value("process_resident_memory_bytes") > 1e6);
  CHECK(value("process_start_time_seconds") > 1.6e9);

  session.start("long", "sleep 1000");
  auto watcher = session.watch();
  CHECK(eventually([&] {
    page = metrics_of(node);
    return value("greenroom_execs_running") == 1
           && value("greenroom_http_streams") == 1;
  }));
  session.remove();
  CHECK(eventually([&] {
    page = metrics_of(node);
    return value(R"(greenroom_sessions_ended_total{status="terminated"})") == 1
           && value(R"(greenroom_sessions{status="active"})") == 0
           && value("greenroom_runners") == 0;
  }));
}

TEST_CASE("metrics are for keys with their scope, and for administrators") {
  node_process node{{.sandboxed = false}};
  auto scraper = with_scopes(node, {"metrics:read"});
  auto page = expect(200, scraper.get("/metrics"));
  CHECK(page.headers["content-type"]
        == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(scraper.get("/projects").status == 403);
  CHECK(http_client(node.port(), "").get("/metrics").status == 401);
  auto reader = with_scopes(node, {"sessions:read"});
  expect_refusal(reader.get("/metrics"), 403, "FORBIDDEN",
                 "the API key needs one of the scopes metrics:read, admin");
}

TEST_CASE("the dashboard shows no metric that is not there") {
  node_process node{{.sandboxed = false}};
  session_user session{node, json{{"branch", "topic"}}};
  session.run("echo hello");
  auto page = metrics_of(node);
  std::ifstream in{source_dir() / "config/grafana/greenroom.json"};
  auto dashboard = json::parse(in);
  const std::regex name{"(greenroom|process)_[a-z_]+"};
  std::set<std::string> named;
  for (auto& panel : dashboard["panels"])
    for (auto& target : panel["targets"]) {
      auto expression = target["expr"].get<std::string>();
      for (std::sregex_iterator i{expression.begin(), expression.end(), name},
           end;
           i != end; ++i)
        named.insert(i->str());
    }
  CHECK(named.size() > 20);
  for (auto& one : named) {
    INFO(one);
    CHECK((page.find('\n' + one + '{') != page.npos
           || page.find('\n' + one + ' ') != page.npos));
  }
}

TEST_CASE("the audit has every change, by whom and with what result") {
  node_process node{{.sandboxed = false}};
  session_user session{node, json{{"branch", "topic"}}};
  auto entry = await_entry(node, "POST", "/projects/{id}/sessions", 201);
  INFO(entry);
  CHECK(entry["object"] == session.id());
  CHECK(entry["project_id"] == "demo");
  CHECK(entry["key_id"] == "admin");
  CHECK(entry["address"] == "127.0.0.1");
  CHECK(entry["request_id"].get<std::string>().size() > 5);
  CHECK_FALSE(entry.contains("code"));

  node.admin().send("POST", session.path("/exec"),
                    R"({"command": "echo hello", "exec_id": "hi"})",
                    "application/json", {{"X-Request-Id", "my-own"}});
  entry = await_entry(node, "POST", session_route + "/exec", 202,
                      "session=" + session.id());
  CHECK(entry["object"] == "hi");
  CHECK(entry["request_id"] == "my-own");

  auto made =
    expect(201,
           node.admin().post("/keys", {{"name", "Ada"}, {"scopes", {"admin"}}}))
      .data();
  entry = await_entry(node, "POST", "/keys", 201);
  CHECK(entry["object"] == made["id"]);
  CHECK(eventually([&] {
    auto all = audit(node);
    return all.dump().find(made["key"].get<std::string>()) == std::string::npos
           && all.size() == 5; // two projects were made at the start
  }));
  // What only reads is not there.
  node.admin().get(session.path());
  session.remove();
  await_entry(node, "DELETE", session_route, 200);
  for (auto& one : audit(node))
    CHECK(one["method"] != "GET");
}

TEST_CASE("the audit has a change once, under its client's own id, whichever "
          "node serves it") {
  node_process node{{.sandboxed = false}};
  session_user session{node, json{{"branch", "topic"}}};
  auto port = session.path("/ports/3000");
  auto ask = [&](const std::string& id, int status, const std::string& method,
                 const std::string& path, const json& body) {
    auto reply = node.admin().send(method, path, body.dump(),
                                   "application/json", {{"X-Request-Id", id}});
    CHECK(reply.headers["x-request-id"] == id);
    return expect(status, reply).data();
  };
  const std::string longest(128, 'x');
  ask("sets", 200, "PUT", port, {{"label", "web"}});
  ask("wrong", 400, "PUT", port, {{"wombat", 1}});
  ask(longest, 201, "POST", port + "/link", json::object());
  // What comes behind them.
  expect(404, node.admin().remove("/projects/none"));
  await_entry(node, "DELETE", "/projects/{id}", 404);
  await_entry(node, "POST", session_route + "/ports/{port}/link", 201);
  for (auto& [id, code] : std::map<std::string, std::string>{
         {"sets", ""}, {"wrong", "BAD_REQUEST"}, {longest, ""}}) {
    INFO(id);
    json found = json::array();
    for (auto& entry : audit(node))
      if (entry.value("request_id", "").starts_with(id))
        found.push_back(entry);
    INFO(found.dump());
    REQUIRE(found.size() == 1);
    CHECK(found[0]["request_id"] == id);
    CHECK(found[0]["address"] == "127.0.0.1");
    CHECK(found[0]["session_id"] == session.id());
    CHECK(found[0].value("code", "") == code);
  }
}

TEST_CASE("the audit has refused changes, and no reads") {
  node_process node{{.sandboxed = false}};
  session_user session{node, json{{"branch", "topic"}}};
  auto stranger = http_client{node.port(), ""};
  CHECK(stranger.get(session.path()).status == 401);
  // With a body, which is not read, and without.
  stranger.post(session.path("/exec"), {{"command", "true"}});
  stranger.remove(session.path());
  http_client{node.port(), "grk_no-such-key"}.remove(session.path());
  auto reader = with_scopes(node, {"sessions:read"});
  CHECK(reader.post(session.path("/exec"), {{"command", "true"}}).status
        == 403);
  CHECK(node.admin().post(sessions, {{"branch", "topic"}}).status == 409);

  auto entry = await_entry(node, "POST", session_route + "/exec", 401);
  INFO(entry);
  CHECK(entry["session_id"] == session.id());
  CHECK(entry["project_id"] == "demo");
  CHECK(entry["code"] == "UNAUTHORIZED");
  CHECK(entry["address"] == "127.0.0.1");
  CHECK_FALSE(entry.contains("key_id"));
  entry = await_entry(node, "DELETE", session_route, 401);
  CHECK(entry["session_id"] == session.id());
  entry = await_entry(node, "POST", session_route + "/exec", 403);
  CHECK(entry["key_name"] == "some");
  CHECK(entry["code"] == "FORBIDDEN");
  entry = await_entry(node, "POST", "/projects/{id}/sessions", 409);
  CHECK(entry["code"] == "CHECKOUT_EXISTS");
  for (auto& one : audit(node))
    CHECK(one["method"] != "GET");
  CHECK(audit(node).dump().find("no-such-key") == std::string::npos);
}

TEST_CASE("the audit has a command's input as one, and each refusal of it") {
  node_process node{{.sandboxed = false, .set = {"http.threads=1"}}};
  session_user session{node, json{{"branch", "topic"}}};
  expect(202, session.post("/exec", {{"command", "cat >got"},
                                     {"exec_id", "eats"},
                                     {"stdin", "open"}}));
  auto write = [&](const http_client& client, const std::string& more) {
    return client.send("POST", session.path("/execs/eats/stdin" + more),
                       "piece", "application/octet-stream");
  };
  for (int i = 0; i < 20; ++i)
    expect(200, write(node.admin(), ""));
  auto reader = with_scopes(node, {"sessions:read"});
  for (int i = 0; i < 3; ++i)
    expect(403, write(reader, ""));
  expect(200, write(node.admin(), "?eof=true"));
  session.await_status("eats", "exited");
  expect(409, write(node.admin(), ""));

  const auto route = session_route + "/execs/{eid}/stdin";
  await_entry(node, "POST", route, 409);
  std::map<int, json> by_status;
  for (auto& entry : audit(node, "session=" + session.id()))
    if (entry["route"] == route)
      by_status[entry["status"]].push_back(entry);
  CHECK(by_status[403].size() == 3);
  CHECK(by_status[409].size() == 1);
  INFO(by_status[200].dump());
  REQUIRE(by_status[200].size() == 2); // newest first
  CHECK(by_status[200][1]["requests"] == 1);
  CHECK(by_status[200][1]["bytes"] == 5);
  CHECK(by_status[200][0]["requests"] == 20);
  CHECK(by_status[200][0]["bytes"] == 100);
  for (auto& entry : by_status[200]) {
    CHECK(entry["key_id"] == "admin");
    CHECK(entry["object"] == "eats");
  }
}

TEST_CASE("the audit has all of an input that goes on when its node stops") {
  node_process node{{.sandboxed = false}};
  session_user session{node, json{{"branch", "topic"}}};
  expect(202, session.post("/exec", {{"command", "cat >got"},
                                     {"exec_id", "eats"},
                                     {"stdin", "open"}}));
  for (int i = 0; i < 20; ++i)
    expect(200, node.admin().send("POST", session.path("/execs/eats/stdin"),
                                  "piece", "application/octet-stream"));
  CHECK(node.terminate() == 0);
  node.start();
  std::uint64_t requests = 0;
  for (auto& entry : audit(node, "session=" + session.id()))
    if (entry["route"] == session_route + "/execs/{eid}/stdin")
      requests += entry["requests"].get<std::uint64_t>();
  CHECK(requests == 20);
}

TEST_CASE("strangers fill the audit only so fast") {
  node_process node{{.sandboxed = false}};
  auto stranger = http_client{node.port(), ""};
  for (int i = 0; i < 200; ++i)
    stranger.remove("/projects/demo");
  auto page = metrics_of(node);
  auto skipped = sample(page, "greenroom_audit_skipped_total");
  CHECK(skipped >= 0);
  CHECK(eventually(
    [&] { return audit(node, "limit=200").size() + skipped == 202; }));
}

TEST_CASE("the audit is read in pages, by filters and as lines") {
  node_process node{{.sandboxed = false}};
  for (int i = 0; i < 12; ++i)
    expect(404, node.admin().remove("/projects/none" + std::to_string(i)));
  expect(404, node.admin().remove("/keys/nobody"));
  await_entry(node, "DELETE", "/keys/{kid}", 404);
  // The configuration file's two projects are there, too.
  CHECK(eventually([&] { return audit(node).size() == 15; }));
  for (std::string id : {"demo", "other"}) {
    auto made = audit(node, "project=" + id);
    REQUIRE(made.size() == 1);
    CHECK(made[0]["key_name"] == "configuration");
    CHECK(made[0]["method"] == "POST");
    CHECK(made[0]["route"] == "/projects");
    CHECK(made[0]["status"] == 201);
  }

  json all = json::array();
  std::string cursor;
  do {
    auto page = expect(200, node.admin().get("/audit?limit=5" + cursor)).data();
    for (auto& entry : page["entries"])
      all.push_back(entry);
    cursor = page.contains("next_cursor")
               ? "&cursor=" + page["next_cursor"].get<std::string>()
               : "";
  } while (!cursor.empty());
  CHECK(all == audit(node));
  CHECK(audit(node, "project=none3").size() == 1);
  CHECK(audit(node, "key=admin").size() == 13);
  CHECK(audit(node, "key=other").empty());
  CHECK(audit(node, "since=2100-01-01T00:00:00Z").empty());
  CHECK(audit(node, "since=" + all.back()["time"].get<std::string>()) == all);

  auto lines = expect(200, node.admin().get("/audit?format=jsonl"));
  CHECK_THAT(lines.headers["content-type"], Contains("application/jsonl"));
  json read = json::array();
  std::istringstream text{lines.body};
  for (std::string line; std::getline(text, line);)
    read.push_back(json::parse(line));
  CHECK(read == all);

  expect_refusal(node.admin().get("/audit?since=yesterday"), 400, "BAD_REQUEST",
                 "since must be a time, like 2026-01-31T12:00:00Z");
  CHECK(node.admin().get("/audit?format=xml").status == 400);
  CHECK(node.admin().get("/audit?cursor=x").status == 400);
  CHECK(with_scopes(node, {"sessions:execute"}).get("/audit").status == 403);
}

TEST_CASE("a key that is limited to projects sees the audit of those") {
  node_process node{{.sandboxed = false}};
  auto limited = with_scopes(node, {"admin"}, {{"projects", {"other"}}});
  session_user session{node, json{{"branch", "topic"}}};
  expect(201,
         node.admin().post("/projects/other/sessions", {{"branch", "topic"}}));
  CHECK(eventually([&] {
    auto seen = expect(200, limited.get("/audit")).data()["entries"];
    return seen.size() == 2 && seen[0]["project_id"] == "other"
           && seen[1]["project_id"] == "other";
  }));
  expect_refusal(limited.get("/audit?project=demo"), 404, "NOT_FOUND",
                 "project not found");
}

TEST_CASE("the audit outlives the node, and what a store did not take comes "
          "later") {
  node_process node{{.sandboxed = false}};
  expect(404, node.admin().remove("/projects/none"));
  await_entry(node, "DELETE", "/projects/{id}", 404);
  node.kill9();
  node.start();
  await_entry(node, "DELETE", "/projects/{id}", 404);
  // A stop in order leaves nothing behind.
  expect(404, node.admin().remove("/keys/nobody"));
  CHECK(node.terminate() == 0);
  node.start();
  // And two projects that were made at the first start.
  CHECK(audit(node).size() == 4);
}

TEST_CASE("a session says what it takes of its node") {
  auto sandboxed = GENERATE(true, false);
  node_process node{{.sandboxed = sandboxed}};
  session_user session{node, json{{"branch", "topic"}}};
  session.run("head -c 3000000 /dev/urandom > big");
  session.start("spin", "while :; do :; done");
  json stats;
  await("time of a processor", [&] {
    stats = expect(200, node.admin().get(session.path("/stats"))).data();
    return stats["cpu"]["used_ms"] > 100;
  });
  INFO(stats);
  CHECK(stats["session_id"] == session.id());
  CHECK(stats["processes"]["count"] >= 1);
  CHECK(stats["memory"]["bytes"] > 100'000);
  CHECK(stats["disk"]["bytes"] >= 3'000'000);
  CHECK(stats["disk"]["files"] > 1);
  CHECK(stats["disk"]["complete"] == true);
  CHECK(stats["disk"].contains("limit_bytes") == sandboxed);
  session.remove();
  expect_refusal(node.admin().get(session.path("/stats")), 400, "BAD_REQUEST",
                 "session is not active");
  CHECK(node.admin().get(sessions + "/aaaaaaaaaaaaaaaaaaaa/stats").status
        == 404);
}
