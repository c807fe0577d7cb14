// What ends a command and all that it has started, and what does not.
#include "tests/runtime/runner/session_fixture.hpp"
#include "tests/support/eventually.hpp"

#include <array>
#include <chrono>
#include <fstream>
#include <set>

using namespace greenroom;
using test::ends;
using test::lives;
using test::session;

namespace {

// Prints the pids of three processes that only KILL ends: one in the group,
// one in a session of its own, one that has lost its parent too.
const std::string stubborn =
  "trap '' TERM;"
  "sleep 1000 & echo $!;"
  "setsid bash -c 'echo $$; exec sleep 1000' & "
  "until [ $(wc -l <$SESSION_DIR/exec/x/stdout) = 2 ]; do :; done;"
  "(setsid bash -c 'echo $$; exec sleep 1000' &);"
  "until [ $(wc -l <$SESSION_DIR/exec/x/stdout) = 3 ]; do :; done;";

pid_t init_of(const session& s) {
  auto children = test::children_of(s.runner_pid);
  REQUIRE(children.size() == 1);
  return children[0];
}

// The supervisor of the only exec that runs: the other waits and has no
// children.
pid_t supervisor_of(const session& s) {
  for (auto exec_supervisor : test::children_of(init_of(s)))
    if (!test::children_of(exec_supervisor).empty())
      return exec_supervisor;
  FAIL("no supervisor");
  return 0;
}

} // namespace

TEST_CASE("a background server outlives its exec and ends with the session") {
  session s;
  auto record = s.run("x", "(trap '' PIPE; while :; do echo noise; done) & "
                           "echo $! >pid");
  CHECK(record.status == exit_status::exited);
  auto size = s.output("x").size();
  pid_t server = 0;
  std::ifstream{s.dir() / "checkout/pid"} >> server;
  REQUIRE(server > 0);
  CHECK(lives(server));
  // It goes on printing, which nobody keeps.
  s.run("y", "true");
  CHECK(lives(server));
  CHECK(s.output("x").size() == size);
  s.node->say(runner::stop{});
  CHECK(s.node->closes());
  CHECK_FALSE(lives(server));
  CHECK(ends(s.runner_pid));
}

TEST_CASE("a background printer does not die of a closed pipe") {
  session s;
  s.run("x", "(until [ -e go ]; do :; done; echo one; echo two; "
             "touch printed; exec sleep 1000) & echo $! >pid");
  std::ofstream{s.dir() / "checkout/go"} << "";
  s.run("y", "until [ -e printed ]; do :; done");
  pid_t printer = 0;
  std::ifstream{s.dir() / "checkout/pid"} >> printer;
  CHECK(lives(printer));
  CHECK(s.output("x").empty());
}

TEST_CASE("a background flood is drained slowly, and costs next to nothing") {
  session s;
  s.run("x", "yes & exit 0");
  auto drained = [&s] {
    std::istringstream text{
      read_file("/proc/" + std::to_string(s.runner_pid) + "/io").value_or("")};
    std::string name;
    std::uint64_t bytes = 0;
    text >> name >> bytes;
    REQUIRE(name == "rchar:");
    return bytes;
  };
  // First the time: what is drained between the two looks counts for it.
  auto start = std::chrono::steady_clock::now();
  auto before = drained();
  test::await("it is drained", [&] { return drained() > before + 300'000; });
  // At least 50 ms lie between two reads of 64 KiB.
  CHECK(std::chrono::steady_clock::now() - start
        >= std::chrono::milliseconds{150});
}

TEST_CASE("an exec's processes are reaped when they end") {
  session s;
  s.run("x", "(sleep 0.01 &) ; sleep 0.01 & true");
  s.run("y", "true");
  // The supervisors' ends are heard at some time after. What stays is init and
  // the supervisor that waits for the next command.
  test::await("only init and a supervisor are left",
              [&s] { return test::descendants_of(s.runner_pid).size() == 2; });
  CHECK(test::children_of(init_of(s)).size() == 1);
}

TEST_CASE("a supervisor that is done waits for the next command") {
  session s;
  std::set<std::string> supervisors;
  // Each time that the next command comes first there is another.
  test::await("a supervisor takes a second command", [&] {
    auto id = "x" + std::to_string(supervisors.size());
    s.run(id, "echo $PPID");
    return !supervisors.insert(s.output(id)).second;
  });
}

TEST_CASE(
  "cancel asks with TERM, and the status is canceled whatever it does") {
  session s;
  s.start("x", s.shell("trap 'exit 0' TERM; echo 0; sleep 1000 & wait"));
  s.printed_pids("x", 1);
  s.node->say(runner::cancel{"x"});
  auto record = s.end_of("x");
  CHECK(record.status == exit_status::canceled);
  CHECK(record.exit_code == 0);
  CHECK(record.signal == 0);
  s.start("y", s.shell("echo 0; exec sleep 1000"));
  s.printed_pids("y", 1);
  s.node->say(runner::cancel{"y"});
  record = s.end_of("y");
  CHECK(record.status == exit_status::canceled);
  CHECK(record.signal == SIGTERM);
  // Nothing to cancel any more, or ever.
  s.node->say(runner::cancel{"y"});
  s.node->say(runner::cancel{"unheard-of"});
  CHECK(s.run("z", "true").status == exit_status::exited);
}

TEST_CASE("cancel kills, after the grace, whatever the exec has started") {
  session s{50};
  s.start("x", s.shell(stubborn + "wait"));
  auto pids = s.printed_pids("x", 3);
  REQUIRE(pids.size() == 3);
  s.node->say(runner::cancel{"x"});
  auto record = s.end_of("x");
  CHECK(record.status == exit_status::canceled);
  CHECK(record.signal == SIGKILL);
  for (auto pid : pids)
    CHECK(ends(pid));
}

TEST_CASE("what outlives a canceled command is killed after the grace") {
  session s{50};
  s.start("x", s.shell(stubborn + "trap - TERM; wait"));
  auto pids = s.printed_pids("x", 3);
  s.node->say(runner::cancel{"x"});
  CHECK(s.end_of("x").status == exit_status::canceled);
  for (auto pid : pids)
    CHECK(ends(pid));
}

TEST_CASE("a time-out does what cancel does, also with no node there") {
  session s{50};
  auto spec = s.shell(stubborn + "wait");
  spec.timeout = 10'000; // all three have to be there by then
  s.start("x", spec);
  auto pids = s.printed_pids("x", 3);
  s.node.reset();
  for (auto pid : pids)
    CHECK(ends(pid));
  s.node.emplace(s.dir(), s.nonce);
  // Its last process can be seen to end before the runner hears of it.
  if (!s.node->greet().execs.empty())
    s.end_of("x");
  auto record = read_exit_record(s.exec_dir("x"));
  REQUIRE(record);
  CHECK(record->status == exit_status::timed_out);
}

TEST_CASE("a command that ends in time is not touched by its time-out") {
  session s;
  auto spec = s.shell("exit 3");
  spec.timeout = 60'000;
  auto record = s.run("x", spec);
  CHECK(record.status == exit_status::exited);
  CHECK(record.exit_code == 3);
}

TEST_CASE("stop leaves nothing: no process, no socket") {
  session s{50};
  s.start("x", s.shell(stubborn + "wait"));
  auto pids = s.printed_pids("x", 3);
  s.node->say(runner::stop{});
  CHECK(s.end_of("x").status == exit_status::canceled);
  CHECK(s.node->closes());
  for (auto pid : pids)
    CHECK_FALSE(lives(pid));
  CHECK(ends(s.runner_pid));
  CHECK_FALSE(std::filesystem::exists(s.dir() / "runner.sock"));
  CHECK_FALSE(runner_connection::dial(s.dir()));
  CHECK(kill_orphans(std::array{s.id}) == 0);
}

TEST_CASE("TERM to the runner is a stop") {
  session s;
  s.start("x", s.shell("sleep 1000"));
  ::kill(s.runner_pid, SIGTERM);
  CHECK(s.end_of("x").status == exit_status::canceled);
  CHECK(s.node->closes());
  CHECK_FALSE(std::filesystem::exists(s.dir() / "runner.sock"));
}

TEST_CASE("kill -9 of the runner kills all that it ran") {
  session s;
  s.start("x", s.shell(stubborn + "wait"));
  auto pids = s.printed_pids("x", 3);
  ::kill(s.runner_pid, SIGKILL);
  for (auto pid : pids)
    CHECK(ends(pid));
  CHECK(s.node->closes());
  CHECK_FALSE(read_exit_record(s.exec_dir("x")));
  CHECK_FALSE(runner_connection::dial(s.dir()));
}

TEST_CASE(
  "an exec whose supervisor is killed is lost, and nothing of it lives on") {
  session s;
  s.start("x", s.shell(stubborn + "wait"));
  auto pids = s.printed_pids("x", 3);
  ::kill(supervisor_of(s), SIGKILL);
  CHECK(s.end_of("x").status == exit_status::lost);
  for (auto pid : pids)
    CHECK(ends(pid));
  CHECK(s.run("y", "echo fine").status == exit_status::exited);
}

TEST_CASE("the waiting supervisor can be killed, and another takes its place") {
  session s;
  s.run("x", "true");
  for (int i = 0; i < 50; ++i) {
    // It may be dying yet when the next command comes.
    for (auto exec_supervisor : test::children_of(init_of(s)))
      ::kill(exec_supervisor, SIGKILL);
    const auto id = "y" + std::to_string(i);
    REQUIRE(s.run(id, "echo fine").status == exit_status::exited);
    CHECK(s.output(id) == "fine\n");
  }
}

TEST_CASE("when init is killed all execs are lost, and the next starts anew") {
  session s;
  s.start("x", s.shell(stubborn + "wait"));
  auto pids = s.printed_pids("x", 3);
  auto init = init_of(s);
  ::kill(init, SIGKILL);
  CHECK(s.end_of("x").status == exit_status::lost);
  for (auto pid : pids)
    CHECK(ends(pid));
  CHECK(read_exit_record(s.exec_dir("x"))->status == exit_status::lost);
  CHECK(s.run("y", "echo fine").status == exit_status::exited);
  CHECK(s.output("y") == "fine\n");
  CHECK(init_of(s) != init);
}

TEST_CASE("leftovers are found by their environment and killed") {
  session s;
  s.start("x", s.shell("setsid sleep 1000 & echo $!; wait"));
  auto pids = s.printed_pids("x", 1);
  // All of the runner at once, as a machine out of memory may do it.
  auto init = init_of(s);
  auto exec_supervisor = supervisor_of(s);
  ::kill(s.runner_pid, SIGSTOP);
  ::kill(init, SIGSTOP);
  for (auto pid : {exec_supervisor, s.runner_pid, init}) {
    ::kill(pid, SIGKILL);
    CHECK(ends(pid));
  }
  CHECK(lives(pids[0]));
  CHECK(kill_orphans(std::array{make_id()}) == 0);
  CHECK(lives(pids[0]));
  CHECK(kill_orphans(std::array{s.id}) >= 2); // bash, sleep
  CHECK_FALSE(lives(pids[0]));
  CHECK(kill_orphans(std::array{s.id}) == 0);
}
