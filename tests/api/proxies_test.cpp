// Upstreams behind a proxy: which proxy is asked is for the configuration, then
// the environment, to say; no_proxy exempts from either.
#include "tests/api/demo.hpp"
#include "tests/support/forward_proxy.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/upstream_servers.hpp"

#include <atomic>
#include <cstdlib>
#include <fstream>

using namespace greenroom::test;

namespace {

/// A name that only the proxy can lead anywhere.
const std::string host = "git.closed.example";

/// A repository that is served by HTTP, and a proxy that leads to it.
struct closed_network {
  closed_network() {
    // What the test's own environment says does not count.
    for (auto name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                      "ALL_PROXY", "no_proxy", "NO_PROXY"})
      ::unsetenv(name);
    auto work = (dir.path() / "work").string();
    run_git(dir.path(), {"init", "-q", "-b", "main", work});
    std::ofstream{dir.path() / "work/hello.txt"} << "hello\n";
    run_git(work, {"add", "-A"});
    run_git(work, {"commit", "-qm", "First"});
    run_git(dir.path(), {"clone", "-q", "--bare", work, "demo.git"});
  }

  /// A node whose project's upstream is this.
  node_options with(const std::string& repo,
                    const std::vector<std::string>& env,
                    const std::string& configured = {}) const {
    node_options result;
    result.project = {{"repo", repo}};
    result.env = {"UPSTREAM_PASSWORD=open-sesame"};
    result.env.insert(result.env.end(), env.begin(), env.end());
    json keys;
    for (const auto& prefix : {"http://" + host + '/', server.url() + '/'})
      keys.push_back({{"url_prefix", prefix},
                      {"username", "robot"},
                      {"password_env", "UPSTREAM_PASSWORD"}});
    result.set = {"git.credentials=" + keys.dump()};
    if (!configured.empty())
      result.set.push_back("git.proxy=" + configured);
    return result;
  }
  std::string through_proxy() const {
    return "http://" + host + "/demo.git";
  }
  std::string directly() const {
    return server.url() + "/demo.git";
  }

  temp_dir dir;
  http_upstream server{dir.path(), "robot", "open-sesame"};
  forward_proxy proxy{server.port()};
};

/// From the upstream's branch to one that has come there.
void do_the_main_job(const node_process& node, const closed_network& network) {
  session_user session{node, json{{"new_branch", "work"}}};
  auto seen = session.run("cat hello.txt; echo more > more.txt");
  CHECK(seen["stdout"] == "hello\n");
  // The way out is the server's, not its sessions'.
  CHECK(session.run("env | grep -i _proxy")["stdout"] == "");
  expect(200, session.checkin({{"skip_review", true}}));
  CHECK(run_git(network.dir.path() / "demo.git", {"show", "work:more.txt"})
        == "more");
}

/// Hangs up on everybody: nobody with a certificate.
class refusing_server : public listener {
public:
  refusing_server() {
    open();
  }
  ~refusing_server() override {
    close();
  }
  std::uint16_t at() const {
    return static_cast<std::uint16_t>(port());
  }
  int connections() const noexcept {
    return connections_;
  }

private:
  void take(greenroom::unique_fd) override {
    ++connections_;
  }
  std::atomic<int> connections_ = 0;
};

http_reply refused_create(const node_process& node) {
  auto reply = node.admin().post(sessions, {{"new_branch", "work"}});
  INFO(to_string(reply));
  CHECK(reply.status == 503);
  CHECK(reply.headers.contains("retry-after"));
  CHECK_THAT(reply.message(),
             Catch::StartsWith("the upstream cannot be reached: "));
  return reply;
}

} // namespace

TEST_CASE("an upstream is read and written by the environment's proxy") {
  const std::string variable = GENERATE("http_proxy", "all_proxy", "ALL_PROXY");
  INFO(variable);
  closed_network network;
  node_process node{network.with(network.through_proxy(),
                                 {variable + '=' + network.proxy.url(),
                                  "no_proxy=127.0.0.1,.other.example"})};
  do_the_main_job(node, network);
  auto repo = network.through_proxy();
  CHECK(network.proxy.count("GET " + repo + "/info/refs?") > 0);
  CHECK(network.proxy.count("POST " + repo + "/git-upload-pack ") > 0);
  CHECK(network.proxy.count("POST " + repo + "/git-receive-pack ") > 0);
}

TEST_CASE("the proxy of the configuration goes before the environment's") {
  closed_network network;
  forward_proxy other{network.server.port()};
  node_process node{
    network.with(network.through_proxy(),
                 {"http_proxy=" + other.url(), "all_proxy=" + other.url()},
                 network.proxy.url())};
  do_the_main_job(node, network);
  CHECK(network.proxy.count("POST " + network.through_proxy()) > 0);
  CHECK(other.requests().empty());
}

TEST_CASE("an upstream that no_proxy names is reached without a proxy") {
  auto configured = GENERATE(true, false);
  const std::string exempt = GENERATE(
    "no_proxy=127.0.0.1", "NO_PROXY=x.example,127.0.0.1", "no_proxy=*");
  INFO(exempt << (configured ? ", configured" : ""));
  closed_network network;
  auto proxy = network.proxy.url();
  node_process node{network.with(network.directly(),
                                 {"http_proxy=" + proxy, exempt},
                                 configured ? proxy : "")};
  do_the_main_job(node, network);
  CHECK(network.proxy.requests().empty());
  CHECK(network.server.requests() > 0);
}

TEST_CASE("what no_proxy does not name goes by the proxy, be it near or far") {
  closed_network network;
  node_process node{
    network.with(network.directly(), {"http_proxy=" + network.proxy.url(),
                                      "no_proxy=127.0.0.2,example.org"})};
  do_the_main_job(node, network);
  CHECK(network.proxy.count("POST " + network.directly()) > 0);
}

TEST_CASE("a tunnel is asked for where the upstream is one of HTTPS") {
  const std::string variable =
    GENERATE("https_proxy", "HTTPS_PROXY", "all_proxy", "");
  INFO((variable.empty() ? "git.proxy" : variable));
  closed_network network;
  refusing_server upstream;
  forward_proxy proxy{upstream.at()};
  auto url = "https://" + host + "/demo.git";
  node_process node{variable.empty()
                      ? network.with(url, {}, proxy.url())
                      : network.with(url, {variable + '=' + proxy.url()})};
  refused_create(node);
  CHECK(proxy.count("CONNECT " + host + ":443 HTTP/1.") > 0);
  CHECK(upstream.connections() > 0);
}

TEST_CASE("no tunnel is asked for what is no business of the proxy's") {
  closed_network network;
  refusing_server upstream;
  auto near = "https://127.0.0.1:" + std::to_string(upstream.at()) + "/d.git";
  auto proxy = network.proxy.url();
  SECTION("the proxy is for HTTP only") {
    node_process node{network.with(near, {"http_proxy=" + proxy})};
    refused_create(node);
  }
  SECTION("no_proxy names the host") {
    node_process node{network.with(
      near, {"https_proxy=" + proxy, "no_proxy=127.0.0.1"}, proxy)};
    refused_create(node);
  }
  CHECK(upstream.connections() > 0);
  CHECK(network.proxy.requests().empty());
}

TEST_CASE("a proxy that is away is what the refusal names") {
  closed_network network;
  auto nobody = "http://127.0.0.1:" + std::to_string(unused_port());
  node_process node{
    network.with(network.through_proxy(), {"http_proxy=" + nobody})};
  auto reply = refused_create(node);
  CHECK_THAT(reply.message(), Catch::Contains("127.0.0.1"));
  CHECK(network.server.requests() == 0);
}
