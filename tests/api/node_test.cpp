// A node's start and end: what it says when it cannot start, what holds when it
// is told to stop.
#include "tests/api/demo.hpp"

#include "runtime/base/run_command.hpp"
#include "tests/support/build_paths.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <csignal>
#include <fstream>
#include <future>
#include <regex>
#include <sstream>

using namespace greenroom::test;
using Catch::Contains;

namespace {

// An upstream that takes connections and never says a word.
class silent_upstream {
public:
  silent_upstream()
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    auto* address = reinterpret_cast<sockaddr*>(&where);
    if (::bind(socket_.get(), address, size) != 0
        || ::listen(socket_.get(), 16) != 0
        || ::getsockname(socket_.get(), address, &size) != 0)
      throw std::system_error(errno, std::generic_category(), "listening");
    port_ = ntohs(where.sin_port);
  }

  std::string url() const {
    return "http://127.0.0.1:" + std::to_string(port_) + "/silent.git";
  }
  void await_caller() {
    caller_.reset(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    REQUIRE(caller_);
  }

private:
  greenroom::unique_fd socket_;
  greenroom::unique_fd caller_;
  std::uint16_t port_ = 0;
};

} // namespace

TEST_CASE("a node that cannot sandbox says what is missing and what would do",
          "[one-node]") {
  node_options options;
  options.set = {"sandbox.network=none",
                 R"(sandbox.read_only=["/usr", "/no/such/path"])"};
  CHECK_THROWS_WITH(node_process{options}, Contains("/no/such/path")
                                             && !Contains("sandbox.mode=none"));
}

TEST_CASE("config check finds what serve would refuse, and leaves no trace",
          "[one-node]") {
  temp_dir dir;
  auto check = [&](std::vector<std::string> settings) {
    std::vector<std::string> argv{(binary_dir() / "greenroom").string(),
                                  "config", "check"};
    auto data = (dir.path() / "new/data").string();
    settings.insert(settings.begin(),
                    {"node.data_dir=" + data, "http.listen=127.0.0.1:0",
                     "sandbox.network=none"});
    for (auto& one : settings)
      argv.insert(argv.end(), {"--set", one});
    auto ran = greenroom::run_command(
      {.argv = argv, .cwd = {}, .env = {"PATH=/usr/bin:/bin"}, .stdin_fd = -1});
    CHECK(ran.exit_code == (ran.err.empty() ? 0 : 2));
    CHECK(std::filesystem::is_empty(dir.path()));
    return ran.err;
  };
  CHECK(check({}).empty());
  CHECK_THAT(check({R"(http.tls={"cert":"/no/cert","key":"/no/key"})"}),
             Contains("http.tls"));
  CHECK_THAT(check({R"(sandbox.read_only=["/usr", "/no/such/path"])"}),
             Contains("/no/such/path"));
  CHECK_THAT(check({"node.data_dir=/proc/nope/data"}),
             Contains("node.data_dir /proc/nope/data cannot be used"));
  CHECK_THAT(check({"auth.admin_key_file=/no/such/key"}),
             Contains("/no/such/key"));
  CHECK_THAT(check({"http.listen=192.0.2.1:0"}),
             Contains("http.listen 192.0.2.1:0: "));
  CHECK_THAT(
    check({"git.listen=127.0.0.1:18080", "preview.listen=127.0.0.1:18080"}),
    Contains("preview.listen 127.0.0.1:18080 is that of git.listen, too"));
  // Several at once.
  auto both =
    check({"node.data_dir=/dev/null/data", "http.listen=192.0.2.1:0"});
  CHECK_THAT(both, Contains("node.data_dir") && Contains("http.listen"));
}

TEST_CASE("a second node on one data directory does not start", "[one-node]") {
  node_process node;
  node_options options;
  options.set = {"node.data_dir=" + node.data_dir().string()};
  CHECK_THROWS_WITH(node_process{options}, Contains("another node is running"));
}

TEST_CASE("a data directory that cannot be locked is no other node's",
          "[one-node]") {
  temp_dir dir;
  std::filesystem::create_directory(dir.path() / "lock");
  node_options options;
  options.set = {"node.data_dir=" + dir.path().string()};
  CHECK_THROWS_WITH(node_process{options},
                    Contains("cannot be locked (Is a directory)"));
}

TEST_CASE("a ready node says which limits are not in force") {
  node_options options;
  options.sandboxed = false;
  node_process node{options};
  auto ready = expect(200, node.admin().get("/readyz"));
  auto warnings = ready.all()["data"]["warnings"];
  INFO(ready.body);
  REQUIRE(warnings.is_array());
  CHECK_THAT(warnings.at(0).get<std::string>(), Contains("sandbox.mode"));
}

TEST_CASE("a node whose disk is late says so for as long as it is, and of one "
          "that has refused to the end",
          "[one-node]") {
  node_process node{{.sandboxed = false}};
  auto says = [&](const char* what) {
    return expect(200, node.admin().get("/readyz")).body.find(what)
           != std::string::npos;
  };
  auto warning = [&] {
    return says("the disk is slow") || says("the disk does not keep");
  };
  session_user session{node, json{{"branch", "topic"}}};
  const std::string what = GENERATE("fdatasync 3000 0", "fdatasync 0 5");
  node.inject_faults(what);
  session.run("echo this is written");
  CHECK(eventually(warning));
  node.inject_faults({});
  CHECK(eventually([&] { return !warning(); }));
  CHECK(says("the disk has refused to keep") == what.ends_with(" 5"));
  CHECK(session.run("echo well")["stdout"] == "well\n");
}

TEST_CASE("a node is not ready while a timeline takes no events, says so, and "
          "comes back",
          "[one-node]") {
  node_process node{{.sandboxed = false}};
  session_user session{node, json{{"branch", "topic"}}};
  auto ready = [&] { return node.admin().get("/readyz"); };
  expect(200, ready());
  session.start("ends", "until [ -e go ]; do sleep 0.01; done");
  node.inject_faults("pwrite 0 5");
  const bool waits = GENERATE(true, false);
  if (waits)
    std::ofstream{session.checkout() / "go"} << "";
  else
    CHECK(session.post("/exec", {{"command", "true"}}).status == 503);
  CHECK(eventually([&] { return ready().status == 503; }));
  CHECK_THAT(ready().message(), Contains("takes no events"));
  node.inject_faults({});
  CHECK(eventually([&] { return ready().status == 200; }));
  std::ofstream{session.checkout() / "go"} << "";
  CHECK(session.await_status("ends", "exited")["exit_code"] == 0);
}

TEST_CASE("a node is ready when the last session is back", "[one-node]") {
  node_process node{{.sandboxed = false}};
  session_user well{node, json{{"new_branch", "well"}}};
  session_user stuck{node, json{{"new_branch", "stuck"}}};
  node.kill9();
  auto timeline = node.data_dir() / "sessions" / stuck.id() / "timeline";
  std::filesystem::rename(timeline, timeline.string() + ".kept");
  std::filesystem::create_directory(timeline);
  node.start();
  auto before = node.admin().get("/readyz");
  INFO(to_string(before));
  CHECK(before.status == 503);
  CHECK_THAT(before.message(), Contains("sessions are being brought back"));
  // It serves what is there.
  CHECK(well.run("echo well")["stdout"] == "well\n");
  SECTION("the session can be revived after all") {
    std::filesystem::remove(timeline);
    std::filesystem::rename(timeline.string() + ".kept", timeline);
    CHECK(
      eventually([&] { return node.admin().get("/readyz").status == 200; }));
    CHECK(stuck.run("echo back")["stdout"] == "back\n");
  }
  SECTION("it never can, and the node does not wait for it for ever") {
    CHECK(
      eventually([&] { return node.admin().get("/readyz").status == 200; }));
  }
}

TEST_CASE("a node that is alone lists itself", "[one-node]") {
  node_process node{{.set = {"node.name=only"}}};
  auto listed = [&] {
    auto all = node.admin().get("/nodes").data().at("nodes");
    REQUIRE(all.size() == 1);
    return all[0];
  };
  auto before = listed();
  CHECK(before["name"] == "only");
  auto admin = node.admin();
  auto page = expect(200, admin.get("/nodes?limit=1")).data();
  CHECK(page["nodes"].size() == 1);
  CHECK_FALSE(page.contains("next_cursor"));
  CHECK(expect(200, admin.get("/nodes?cursor=only")).data()["nodes"].empty());
  expect(400, admin.get("/nodes?cursor=other"));
  CHECK(before["state"] == "ready");
  CHECK(before["reachable"] == true);
  CHECK(before["sessions"] == 0);
  CHECK(before["load"].get<double>() >= 0);
  CHECK(before["version"] == node.admin().get("/version").data()["version"]);
  session_user session{node, json{{"new_branch", "work"}}};
  CHECK(listed()["sessions"] == 1);
  node.kill9();
  node.start();
  auto after = listed();
  CHECK(after["sessions"] == 1);
  CHECK(after["incarnation"] != before["incarnation"]);
}

TEST_CASE("a node that is told twice to stop waits for nobody") {
  silent_upstream upstream;
  node_options options;
  options.project = {{"repo", upstream.url()}};
  node_process node{options};
  auto asked = std::async(std::launch::async, [client = node.admin()] {
    try {
      client.post(sessions, {{"branch", "topic"}});
    } catch (const std::runtime_error&) {
      // It ends without an answer.
    }
  });
  upstream.await_caller();
  ::kill(node.pid(), SIGTERM);
  await("it says that it stops", [&] {
    return node.log().find("received, stopping") != node.log().npos;
  });
  CHECK(node.terminate() == -SIGTERM);
}

TEST_CASE("a node that stops in order exits with 0") {
  node_process node;
  session_user session{node, json{{"branch", "topic"}}};
  CHECK(node.terminate() == 0);
}

TEST_CASE("requests of the same moment are lines of their own in the log") {
  node_process node;
  constexpr int requests = 100;
  auto client = node.admin();
  for (int i = 0; i < requests; ++i)
    client.send("GET", sessions, "", "",
                {{"X-Request-Id", "r" + std::to_string(i) + "."}});
  CHECK(node.terminate() == 0);
  const std::regex line{
    R"(\d{4}-\d\d-\d\dT[0-9:.]+Z info GET \S+ 200 \S+ ms request=r\d+\. key=\S+)"};
  int found = 0;
  std::istringstream log{node.log()};
  for (std::string one; std::getline(log, one);)
    if (one.find("request=r") != std::string::npos) {
      CHECK(std::regex_match(one, line));
      ++found;
    }
  CHECK(found == requests);
}
