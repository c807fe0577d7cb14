// By which names a node is asked, and how much one address may have of it.
#include "tests/api/demo.hpp"
#include "tests/support/sockets.hpp"

#include <string>
#include <vector>

using namespace greenroom::test;

namespace {

std::string ask(const node_process& node, const std::string& path,
                const std::string& fields) {
  auto socket = connect_to(node.port());
  send_all(socket, "GET " + path + " HTTP/1.1\r\nConnection: close\r\n" + fields
                     + "Authorization: Bearer " + node.admin_key()
                     + "\r\n\r\n");
  std::string answer;
  while (receive(socket, answer, 4096))
    continue;
  return answer;
}

int status_in(const std::string& answer) {
  return answer.size() < 12 ? 0 : std::stoi(answer.substr(9, 3));
}

} // namespace

TEST_CASE("a node answers to its own names and pages only") {
  node_options options;
  options.sandboxed = false;
  options.set = {R"(http.hosts=["rooms.example.org"])"};
  node_process node{options};
  session_user session{node, json{{"new_branch", "work"}}};
  const std::string own = "Host: localhost\r\n";
  const auto repository = "/git/demo/" + session.id() + ".git";
  const std::vector<std::string> routes{
    "/projects",
    "/whoami",
    "/version",
    "/",
    "/nothing",
    session.path(),
    session.path("/events"),
    session.path("/execs/x/attach"),
    repository + "/info/refs?service=git-upload-pack"};
  for (auto& path : routes) {
    INFO(path);
    CHECK(status_in(ask(node, path, "Host: evil.example\r\n")) == 403);
    CHECK(status_in(ask(node, path, own + "Origin: http://evil.example\r\n"))
          == 403);
    CHECK(status_in(ask(node, path, own + "Origin: null\r\n")) == 403);
    CHECK(status_in(ask(node, path, own + own)) == 400);
    CHECK(status_in(ask(node, path, "")) == 400);
  }
  CHECK_THAT(ask(node, "/projects", "Host: evil.example\r\n"),
             Catch::Contains("evil.example") && Catch::Contains("http.hosts"));
  for (std::string host :
       {"localhost", "127.0.0.1:99", "rooms.example.org", "[::1]"}) {
    INFO(host);
    CHECK(status_in(ask(node, "/projects", "Host: " + host + "\r\n")) == 200);
  }
  auto port = std::to_string(node.port());
  CHECK(status_in(ask(node, "/projects",
                      "Host: localhost:" + port
                        + "\r\nOrigin: http://localhost:" + port + "\r\n"))
        == 200);
  // Whoever probes a node's health has some address of it.
  for (std::string path : {"/healthz", "/readyz"})
    CHECK(status_in(ask(node, path, "Host: evil.example\r\n")) == 200);
}

TEST_CASE("one address may have its share of connections, and hears that") {
  node_options options;
  options.sandboxed = false;
  options.set = {"limits.connections_per_address=10", "http.threads=2"};
  node_process node{options};
  std::vector<greenroom::unique_fd> held;
  const std::string request =
    "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
  auto serves = [&] {
    auto socket = connect_to(node.port());
    send_all(socket, request);
    std::string answer;
    while (answer.find("\r\n\r\n") == std::string::npos
           && receive(socket, answer, 4096))
      continue;
    auto status = status_in(answer);
    if (status == 503)
      CHECK(answer.find("Retry-After: ") != std::string::npos);
    else
      held.push_back(std::move(socket));
    return status;
  };
  // That earlier ones are closed the node may hear a little later.
  for (int i = 0; i < 10; ++i)
    CHECK(eventually([&] { return serves() == 200; }));
  for (int i = 0; i < 20; ++i)
    CHECK(serves() == 503);
  held.clear();
  CHECK(eventually([&] { return node.admin().get("/healthz").status == 200; }));
}

TEST_CASE("connections of git count among those of their address") {
  node_options options;
  options.set = {"limits.connections_per_address=10", "http.threads=2"};
  node_process node{options};
  std::vector<greenroom::unique_fd> held;
  auto health = [&] {
    auto socket = connect_to(node.port());
    send_all(socket, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    std::string answer;
    while (answer.find("\r\n\r\n") == std::string::npos
           && receive(socket, answer, 4096))
      continue;
    return status_in(answer);
  };
  // Whether it may be used for more, and is held.
  auto holds = [&] {
    auto socket = connect_to(node.port());
    send_all(socket, "GET /git/demo/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    std::string answer;
    if (!receive(socket, answer, 4096)
        || answer.find("onnection: close") != std::string::npos)
      return false;
    held.push_back(std::move(socket));
    return true;
  };
  for (int i = 0; i < 10; ++i)
    CHECK(eventually(holds));
  CHECK(health() == 503);
  held.clear();
  CHECK(eventually([&] { return health() == 200; }));
}

TEST_CASE("one key may have its share of streams, and hears that") {
  node_options options;
  options.sandboxed = false;
  options.set = {"limits.open_streams=3"};
  node_process node{options};
  session_user session{node, json{{"new_branch", "work"}}};
  std::vector<sse_client> streams;
  for (int i = 0; i < 3; ++i) {
    streams.push_back(session.watch());
    streams.back().until(
      [](const sse_event& event) { return event.type == "session.created"; });
  }
  auto refused = node.admin().get(session.path("/events"));
  CHECK(refused.status == 429);
  CHECK(refused.headers.contains("retry-after"));
  CHECK(refused.headers["ratelimit-limit"] == "3");
  CHECK(refused.code() == "RATE_LIMITED");
  CHECK(refused.message()
        == "key \"admin\" has 3 streams open (3 event streams), and its limit "
           "is 3 (limits.open_streams); close some of them");
  CHECK(node.admin().get(session.path()).status == 200);
}

TEST_CASE("one project may have its share of streams, and hears who holds "
          "them") {
  node_options options;
  options.sandboxed = false;
  options.set = {"limits.project_streams=3"};
  node_process node{options};
  session_user session{node, json{{"new_branch", "work"}}};
  auto made =
    expect(201, node.admin().post(
                  "/keys", {{"name", "reader"}, {"scopes", {"sessions:read"}}}))
      .data();
  auto id = made["id"].get<std::string>();
  auto key = made["key"].get<std::string>();
  std::vector<sse_client> held;
  auto watch = [&](const std::string& path, const std::string& with) {
    held.emplace_back(node.port(), path, with);
    CHECK(held.back().status() == 200);
  };
  watch(session.path("/events"), node.admin_key());
  watch(session.path("/events"), key);
  watch(session.path("/events"), key);
  // What is of many projects is no project's.
  watch("/events", key);
  const auto message =
    "project \"demo\" has 3 streams open (2 of key \"reader\" (" + id
    + "), 1 of key \"admin\"), and its limit is 3 (limits.project_streams); "
      "close some of them";
  for (auto path : {"/events", "/wait?until=ended&timeout=1s"}) {
    INFO(path);
    auto refused = node.admin().get(session.path(path));
    CHECK(refused.status == 429);
    CHECK(refused.code() == "RATE_LIMITED");
    CHECK(refused.headers.contains("retry-after"));
    CHECK(refused.headers["ratelimit-limit"] == "3");
    CHECK(refused.headers["ratelimit-remaining"] == "0");
    CHECK(refused.message() == message);
  }
  auto elsewhere = expect(201, node.admin().post("/projects/other/sessions",
                                                 {{"new_branch", "work"}}))
                     .data()["id"]
                     .get<std::string>();
  watch("/projects/other/sessions/" + elsewhere + "/events", key);
  held.erase(held.begin());
  CHECK(eventually([&] {
    return node.admin().get(session.path("/wait?until=ended&timeout=1s")).status
           == 200;
  }));
}
