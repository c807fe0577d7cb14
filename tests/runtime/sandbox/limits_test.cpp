// What a session may use of the machine, where control groups can be had.
#include "runtime/sandbox/processors.hpp"
#include "tests/runtime/sandbox/sandbox_session.hpp"

#include <catch2/catch.hpp>

#include <signal.h>

#include <set>

using namespace greenroom;
using namespace greenroom::test;
namespace fs = std::filesystem;

namespace {

// False, with a warning that says why, where the limit is not in force.
bool in_force(bool holds, const sandbox_session& s) {
  if (!holds)
    for (const auto& reason : s.host.groups.missing())
      WARN("not tested: " << reason);
  return holds;
}

} // namespace

TEST_CASE("each limit is in force or said to be missing") {
  sandbox_session s;
  auto in = (s.host.groups.limits_memory() ? 1u : 0u)
            + (s.host.groups.limits_processes() ? 1u : 0u);
  CHECK(s.host.groups.missing().size() == 2 - in);
}

TEST_CASE("a memory hog ends and the test does not") {
  sandbox_session s;
  if (!in_force(s.host.groups.limits_memory(), s))
    return;
  auto hog = [&](const char* size) {
    return s.shell(std::string{"head -c "} + size
                   + " /dev/zero | tail -c 200M | wc -c");
  };
  CHECK(hog("20M").out == "20971520\n");
  CHECK(hog("200M").out != "209715200\n");
}

TEST_CASE("a fork bomb stays within the session's processes") {
  sandbox_session s;
  if (!in_force(s.host.groups.limits_processes(), s))
    return;
  auto bomb = [](const sandbox_session& in) {
    auto what = in.program({"/usr/bin/perl", "-e", R"(
      for (1..200) {
        my $child = fork;
        if (!defined $child) { print "$!"; exit }
        if ($child == 0) { close STDOUT; sleep 1000; exit }
      }
      print "all are there")"});
    return in.run(what).out;
  };
  CHECK(bomb(s) == "Resource temporarily unavailable");
  // The same number fits where it is allowed.
  auto settings = sandbox_settings(".");
  settings.sandbox.pids = 400;
  settings.sandbox.memory = std::uint64_t{1} << 30;
  sandbox_session larger{settings};
  CHECK(bomb(larger) == "all are there");
}

TEST_CASE("a session has as many processors as it may, and sees no more") {
  auto all = sandbox::own_processors();
  auto settings = sandbox_settings(".");
  settings.sandbox.processors = 1;
  sandbox_session s{settings};
  auto list = sandbox::processors_for(s.paths().session_id, 1, all);
  if (all.size() < 2 || s.host.taskset.empty()) {
    WARN("there are no two processors, or no taskset, to try this with");
    return;
  }
  CHECK(s.shell("cat /sys/devices/system/cpu/online").out == list + '\n');
  auto plan = sandbox::make_plan(s.host, s.paths());
  REQUIRE(plan);
  // As the runner begins the sandbox.
  command what;
  what.argv = {plan->argv.begin(), plan->argv.begin() + 3};
  what.argv.insert(what.argv.end(), {"/usr/bin/nproc"});
  CHECK(run_command(what).out == "1\n");
  std::string quotas;
  for (const auto& group : plan->cgroups)
    for (const auto* file : {"cpu.cfs_quota_us", "cpu.max"})
      quotas += content(fs::path{group} / file);
  if (in_force(!quotas.empty(), s))
    CHECK((quotas == "100000\n" || quotas == "100000 100000\n"));
}

TEST_CASE("sessions are spread over the processors") {
  using sandbox::processors_for;
  CHECK(processors_for("s", 0, {0, 1, 2, 3}).empty());
  CHECK(processors_for("s", 4, {0, 1, 2, 3}).empty());
  CHECK(processors_for("s", 9, {0, 1}).empty());
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i)
    seen.insert(processors_for(std::to_string(i), 2, {0, 1, 4, 5}));
  CHECK(seen == std::set<std::string>{"0-1", "1,4", "4-5", "0,5"});
}

TEST_CASE("two sessions do not share their limits") {
  sandbox_session one;
  sandbox_session other;
  if (!in_force(one.host.groups.limits_processes(), one))
    return;
  auto mine = one.host.groups.open(one.paths().session_id);
  auto theirs = other.host.groups.open(other.paths().session_id);
  REQUIRE_FALSE(mine.empty());
  for (std::size_t i = 0; i < mine.size(); ++i)
    CHECK(mine[i] != theirs[i]);
}

TEST_CASE("opening a session's groups again is the same") {
  sandbox_session s;
  auto id = s.paths().session_id;
  CHECK(s.host.groups.open(id) == s.host.groups.open(id));
}

TEST_CASE("removing groups kills what is left in them") {
  sandbox_session s;
  if (!in_force(s.host.groups.limits_processes(), s))
    return;
  auto groups = s.host.groups.open(s.paths().session_id);
  temp_dir dir;
  auto started = dir.path() / "started";
  // Daemons that ended their parent, one deaf to everything but KILL.
  std::string script;
  for (const auto& group : groups)
    script += "echo 0 > " + group + "/cgroup.procs;";
  script += "(trap '' TERM HUP; setsid sleep 1000) >/dev/null 2>&1 & echo $! > "
            + started.string();
  command what;
  what.argv = {"/bin/bash", "-c", script};
  REQUIRE(run_command(what).ok());
  auto pid = std::stoi(content(started));
  REQUIRE(::kill(pid, 0) == 0);

  CHECK(sandbox::remove_groups(groups));
  for (const auto& group : groups)
    CHECK_FALSE(fs::exists(group));
  CHECK(content("/proc/" + std::to_string(pid) + "/cmdline") == "");
  // Once more is no error.
  CHECK(sandbox::remove_groups(groups));
}

TEST_CASE("the node itself is in no group of a session") {
  sandbox_session s;
  auto groups = s.host.groups.open(s.paths().session_id);
  for (const auto& group : groups)
    CHECK(content(fs::path{group} / "cgroup.procs") == "");
  CHECK_THAT(content("/proc/self/cgroup"), !Catch::Contains("greenroom"));
}

TEST_CASE("no core is dumped") {
  sandbox_session s;
  CHECK(s.shell("ulimit -c").out == "0\n");
  auto plan = sandbox::make_plan(s.host, s.paths());
  REQUIRE(plan);
  CHECK(plan->rlimits.at("core") == 0);
}
