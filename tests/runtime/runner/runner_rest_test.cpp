// A runner that has nothing to do says so, and ends if it is told to.
#include "tests/runtime/runner/session_fixture.hpp"

#include <signal.h>

using namespace greenroom;
using test::session;

namespace {

constexpr session::idle_after soon{20};

void await_end(pid_t pid) {
  INFO("the runner goes on");
  REQUIRE(test::ends(pid)); // reaped or not, which is not ours to do
}

} // namespace

TEST_CASE(
  "a runner says again and again that it has nothing to do, and rests") {
  session s{soon};
  s.node->wait_for<runner::idle>();
  s.run("x", "true");
  s.node->wait_for<runner::idle>();
  s.node->wait_for<runner::idle>();
  s.node->say(runner::rest{});
  CHECK(s.node->closes());
  await_end(s.runner_pid);
  CHECK_FALSE(std::filesystem::exists(s.dir() / runner::socket_file));
}

TEST_CASE("a runner that was never told how long is never idle, and may rest") {
  session s;
  s.run("x", "true");
  s.node->say(runner::rest{});
  CHECK(s.node->closes());
  await_end(s.runner_pid);
}

TEST_CASE("what a command has left in the background keeps a runner awake") {
  session s{soon};
  s.run("x", "sleep 1000 & echo $!");
  auto left = s.printed_pids("x", 1);
  s.node->say(runner::rest{});
  s.node->wait_for<runner::awake>();
  REQUIRE(test::lives(left[0]));
  ::kill(left[0], SIGKILL);
  s.node->wait_for<runner::idle>();
  s.node->say(runner::rest{});
  CHECK(s.node->closes());
}

TEST_CASE("a runner does what it was told before it was to rest") {
  session s{soon};
  s.node->wait_for<runner::idle>();
  s.spawn("x", s.shell("exec sleep 1000"));
  s.node->say(runner::rest{});
  auto awake = false;
  auto started = false;
  while (!awake || !started) {
    auto message = s.node->next();
    REQUIRE(message);
    awake = awake || std::holds_alternative<runner::awake>(*message);
    started = started || std::holds_alternative<runner::started>(*message);
  }
  s.node->say(runner::cancel{"x"});
  CHECK(s.end_of("x").status == exit_status::canceled);
}
