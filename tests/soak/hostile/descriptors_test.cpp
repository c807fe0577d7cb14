// A node that has few descriptors: a hostile tenant gets a share of them, and
// where there is none left in spite of that, the node lives on. (V1)
#include "tests/api/demo.hpp"
#include "tests/soak/hostile/as_before.hpp"
#include "tests/soak/hostile/honest_tenant.hpp"
#include "tests/soak/hostile/hostile_tenant.hpp"
#include "tests/soak/size.hpp"
#include "tests/support/process_figures.hpp"
#include "tests/support/sockets.hpp"

#include <sys/resource.h>

#include <cerrno>
#include <chrono>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

using namespace greenroom::test;

namespace {

namespace fs = std::filesystem;

node_options few_descriptors() {
  node_options result;
  result.open_files = 400; // connections: 228, half of them for one key
  result.set = {"http.threads=1"};
  return result;
}

/// While it lives, a process gets no new descriptor: its limit is below all
/// that it has open.
class exhausted {
public:
  explicit exhausted(pid_t pid) : pid_(pid) {
    limit(nullptr, &normal_);
    auto none = normal_;
    none.rlim_cur = 8;
    limit(&none, nullptr);
  }
  exhausted(const exhausted&) = delete;
  exhausted& operator=(const exhausted&) = delete;
  ~exhausted() {
    ::prlimit(pid_, RLIMIT_NOFILE, &normal_, nullptr);
  }

private:
  void limit(const rlimit* to, rlimit* was) const {
    if (::prlimit(pid_, RLIMIT_NOFILE, to, was) != 0)
      throw std::system_error(errno, std::generic_category(), "prlimit");
  }

  pid_t pid_;
  rlimit normal_{};
};

bool serves(const node_process& node) {
  try {
    return node.admin().get("/readyz").status == 200;
  } catch (const std::exception&) {
    return false;
  }
}

} // namespace

TEST_CASE("a hostile tenant takes descriptors, and harms no honest one",
          "[one-node]") {
  using timer = std::chrono::steady_clock;
  node_process node{few_descriptors()};
  honest_tenant user{node};
  hostile_tenant attacker{node, 1};
  attacker.deep_tree(); // also what is made once
  const as_before before{node, user.session_id()};
  auto until = timer::now() + std::chrono::seconds{how_many(0, 600)};
  do {
    attacker.take_descriptors();
    if (for_long())
      attacker.deep_tree();
  } while (timer::now() < until);
  before.check(attacker.ids());
  user.stop();
  user.check_answers();
}

TEST_CASE("a node without descriptors lives on, and serves when it has some",
          "[one-node]") {
  node_process node{few_descriptors()};
  session_user session{node, json{{"new_branch", "work"}}};
  session.run("true");
  // It has printed before it ends: what shows that reads how it ended.
  expect(202, session.post("/exec", {{"exec_id", "t"},
                                     {"command", "echo hi; until [ -e go ]; do "
                                                 "sleep 0.02; done"},
                                     {"tty", {{"rows", 5}, {"cols", 20}}}}));
  auto terminal = connect_to(node.port());
  send_all(terminal,
           "GET " + session.path("/execs/t/attach")
             + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
             + node.admin_key()
             + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
               "Sec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  std::string shown;
  while (shown.find("hi") == std::string::npos)
    REQUIRE(receive(terminal, shown, 1));
  const auto before = open_files(node.pid());
  const auto record =
    node.data_dir() / "sessions" / session.id() / "exec/t/exit.json";
  std::vector<greenroom::unique_fd> waiting;
  {
    const exhausted none{node.pid()};
    for (int i = 0; i < 20; ++i) {
      waiting.push_back(connect_to(node.port()));
      send_all(waiting.back(), "GET /healthz HTTP/1.1\r\n");
    }
    std::ofstream{session.checkout() / "go"};
    await("the end of the terminal", [&] { return fs::exists(record); });
    // It has heard of that by then, and of those who knock.
    CHECK_FALSE(eventually([&] { return resident_kib(node.pid()) == 0; },
                           std::chrono::seconds{1}));
  }
  waiting.clear();
  CHECK(eventually([&] { return serves(node); }));
  CHECK(session.await_status("t", "exited")["exit_code"] == 0);
  CHECK(session.run("echo well")["stdout"] == "well\n");
  CHECK(eventually([&] { return open_files(node.pid()) <= before + 8; }));
}
