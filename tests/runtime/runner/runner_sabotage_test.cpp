// What code in a session may do to the runner's processes beside it, which
// have its user: none of it switches off a time-out, a cancel or a stop.
#include "runtime/runner/inner/exec_supervisor.hpp"
#include "tests/runtime/runner/sandboxed.hpp"
#include "tests/support/eventually.hpp"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <set>
#include <thread>
#include <utility>

using namespace greenroom;
using test::can_sandbox;
using test::ends;
using test::plan;
using test::session;

namespace {

constexpr const char* why_lost =
  "another command's processes could be ended only together with all of the "
  "session's";

/// How the running execs ended, in whatever order.
std::map<std::string, exit_record> ends_of(session& s, std::size_t count) {
  std::map<std::string, exit_record> result;
  while (result.size() < count) {
    auto message = s.node->wait_for<runner::exited>();
    result.emplace(message.exec, message.record);
  }
  return result;
}

// Every process but the shell itself and pid 1.
const std::string stop_all = "read; kill -STOP -1; ";

// Starts x, whose script waits for a line lest its sabotage comes before its
// start is told, and returns when it has done.
void start_saboteur(session& s, runner::command_spec spec) {
  spec.stdin_open = true;
  s.start("x", spec);
  REQUIRE(::write(s.node->input_of("x").get(), "\n", 1) == 1);
  s.printed("x", "done");
}

// The supervisors can open nothing any more.
const std::string cripple_all =
  "read; for p in /proc/[0-9]*; do grep -q init $p/cmdline && "
  "prlimit --pid ${p#/proc/} --nofile=3; done; ";

// The only supervisor there is when nothing runs.
pid_t waiting_supervisor(pid_t init) {
  std::vector<pid_t> all;
  test::await("only the waiting supervisor is left", [&] {
    all = test::children_of(init);
    return all.size() == 1;
  });
  return all[0];
}

/// Returns what it was before.
rlim_t limit_files(pid_t pid, rlim_t to) {
  rlimit limit;
  REQUIRE(::prlimit(pid, RLIMIT_NOFILE, nullptr, &limit) == 0);
  auto old = std::exchange(limit.rlim_cur, to);
  REQUIRE(::prlimit(pid, RLIMIT_NOFILE, &limit, nullptr) == 0);
  return old;
}

/// By number, the sockets that a process has open.
std::map<int, std::string> sockets_of(pid_t pid) {
  std::map<int, std::string> result;
  std::error_code gone;
  for (auto& one : std::filesystem::directory_iterator{
         "/proc/" + std::to_string(pid) + "/fd", gone})
    if (auto what = std::filesystem::read_symlink(one.path(), gone).string();
        what.starts_with("socket:"))
      result[std::stoi(one.path().filename())] = what;
  return result;
}

/// A copy of the socket by which a supervisor reports, as code in the session
/// could take it: the only one that it does not share with init. Empty where
/// that may not be taken here.
unique_fd reporting_socket(pid_t exec_supervisor, pid_t init) {
  std::set<std::string> shared;
  for (auto& [number, what] : sockets_of(init))
    shared.insert(what);
  std::vector<int> own;
  for (auto& [number, what] : sockets_of(exec_supervisor))
    if (!shared.contains(what))
      own.push_back(number);
  REQUIRE(own.size() == 1);
  unique_fd process{
    static_cast<int>(::syscall(SYS_pidfd_open, exec_supervisor, 0))};
  return unique_fd{static_cast<int>(
    ::syscall(SYS_pidfd_getfd, process.get(), own.front(), 0))};
}

} // namespace

TEST_CASE("a supervisor that reports without an end keeps no other command "
          "from its turn") {
  session s{50};
  s.start("x", s.shell("sleep 1000"));
  auto init = test::children_of(s.runner_pid).at(0);
  pid_t of_x = 0; // the one that has a child
  test::await("the supervisor of x", [&] {
    for (auto one : test::children_of(init))
      if (!test::children_of(one).empty())
        of_x = one;
    return of_x != 0;
  });
  auto socket = reporting_socket(of_x, init);
  if (!socket) {
    WARN("no other process's descriptors may be taken here");
    return;
  }
  std::atomic<bool> enough = false;
  std::thread flood{[&] {
    const runner::supervisor_report report{
      runner::supervisor_report::kind::starting};
    while (!enough)
      ::send(socket.get(), &report, sizeof report, MSG_NOSIGNAL | MSG_DONTWAIT);
  }};
  auto end = s.run("y", "true");
  enough = true;
  flood.join();
  socket.reset();
  CHECK(end.exit_code == 0);
  s.node->say(runner::cancel{"x"});
  CHECK(s.end_of("x").status == exit_status::canceled);
}

TEST_CASE("stopped supervisors do not keep a time-out from ending the exec") {
  if (!can_sandbox())
    return;
  session s{plan(), 50};
  s.start("y", s.shell("echo 0; sleep 1000"));
  s.printed_pids("y", 1);
  auto spec = s.shell(stop_all + "echo done; while :; do sleep 1000; done");
  spec.timeout = 10'000; // the sabotage has to be done by then
  start_saboteur(s, spec);
  auto all = test::descendants_of(s.runner_pid);
  auto records = ends_of(s, 2);
  CHECK(records["x"].status == exit_status::timed_out);
  CHECK(records["y"].status == exit_status::lost);
  CHECK(records["y"].reason == why_lost);
  CHECK(read_exit_record(s.exec_dir("y")) == records["y"]);
  for (auto pid : all)
    CHECK(ends(pid));
  CHECK(s.run("z", "echo fine").exit_code == 0);
  CHECK(s.output("z") == "fine\n");
}

TEST_CASE(
  "supervisors without descriptors do not keep a cancel from ending the "
  "exec") {
  if (!can_sandbox())
    return;
  session s{plan(), 50};
  start_saboteur(s, s.shell("trap '' TERM; " + cripple_all
                            + "sleep 1000 & echo done; "
                              "while :; do sleep 1000; done"));
  auto all = test::descendants_of(s.runner_pid);
  s.node->say(runner::cancel{"x"});
  CHECK(s.end_of("x").status == exit_status::canceled);
  for (auto pid : all)
    CHECK(ends(pid));
  CHECK(s.run("z", "true").status == exit_status::exited);
}

TEST_CASE("stopped supervisors do not keep a session from being stopped") {
  if (!can_sandbox())
    return;
  session s{plan(), 50};
  start_saboteur(s,
                 s.shell(stop_all + "echo done; while :; do sleep 1000; done"));
  auto all = test::descendants_of(s.runner_pid);
  s.node->say(runner::stop{});
  CHECK(s.node->closes());
  for (auto pid : all)
    CHECK_FALSE(test::lives(pid));
  CHECK(ends(s.runner_pid));
}

TEST_CASE(
  "without a sandbox a stopped supervisor's exec is ended by the runner") {
  session s{50};
  start_saboteur(s, s.shell("read; kill -STOP $PPID; trap '' TERM; "
                            "(setsid sleep 1000 &); echo done; "
                            "while :; do sleep 1000; done"));
  auto all = test::descendants_of(s.runner_pid);
  s.node->say(runner::cancel{"x"});
  CHECK(s.end_of("x").status == exit_status::canceled);
  for (auto pid : all)
    CHECK(ends(pid));
  CHECK(s.run("z", "true").status == exit_status::exited);
}

TEST_CASE("a command that no supervisor takes is refused, and the next starts "
          "anew") {
  session s{50};
  s.run("w", "true");
  auto init = test::children_of(s.runner_pid).at(0);
  waiting_supervisor(init);
  // The one that has run the first command may wait again, beside the next.
  auto stopped = test::children_of(init);
  for (auto pid : stopped)
    ::kill(pid, SIGSTOP);
  CHECK(s.refusal("x", s.shell("touch ran"))
        == "the command could not be started within 10 s");
  for (auto pid : stopped)
    CHECK(ends(pid));
  CHECK(ends(init));
  CHECK(s.run("y", "[ ! -e ran ]").exit_code == 0);
}

TEST_CASE("a terminal that the runner has no descriptor for is refused, and "
          "nothing else ends") {
  session s{50};
  s.run("w", "true");
  auto exec_supervisor =
    waiting_supervisor(test::children_of(s.runner_pid).at(0));
  ::kill(exec_supervisor, SIGSTOP);
  auto spec = s.shell("trap '' HUP; sleep 1000");
  spec.rows = 24;
  spec.cols = 80;
  s.spawn("x", spec);
  // The runner has taken it up when it answers what came after.
  s.node->say(runner::open_input{"x"});
  s.node->wait_for<runner::no_input>();
  auto old = limit_files(s.runner_pid, 3);
  ::kill(exec_supervisor, SIGCONT);
  auto refused = s.node->wait_for<runner::refused>();
  limit_files(s.runner_pid, old);
  CHECK(refused.reason == "no descriptor is left for the command's terminal");
  test::await("the command is killed",
              [&] { return test::children_of(exec_supervisor).empty(); });
  CHECK(s.run("y", "true").status == exit_status::exited);
}

TEST_CASE("a command that the inner half's end has taken is refused, and given "
          "to no other") {
  session s{50};
  s.run("w", "true");
  auto init = test::children_of(s.runner_pid).at(0);
  waiting_supervisor(init);
  for (auto pid : test::children_of(init))
    ::kill(pid, SIGSTOP);
  s.spawn("x", s.shell("touch ran"));
  s.node->say(runner::open_input{"x"});
  s.node->wait_for<runner::no_input>(); // it has been given by then
  ::kill(init, SIGKILL);
  CHECK(s.node->wait_for<runner::refused>().exec == "x");
  CHECK(s.run("y", "[ ! -e ran ]").exit_code == 0);
}
