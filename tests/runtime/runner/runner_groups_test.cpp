// A session's control groups hold all that the runner starts for it.
#include "tests/runtime/runner/sandboxed.hpp"
#include "tests/support/eventually.hpp"

#include <sys/syscall.h>

using namespace greenroom;
using test::can_sandbox;
using test::plan;
using test::session;
using test::session_groups;

TEST_CASE("the first command of a sandbox is in the session's groups") {
  session_groups groups{100};
  if (!can_sandbox() || !groups.usable())
    return;
  auto limited = plan();
  limited.cgroups = groups.directories();
  session s{limited};
  CHECK_FALSE(groups.hold(s.runner_pid));
  s.start("x", s.shell("echo 0; sleep 1000"));
  s.printed_pids("x", 1);
  auto all = test::descendants_of(s.runner_pid);
  CHECK(all.size() >= 4); // bwrap, init, supervisor, bash
  for (auto pid : all)
    CHECK(groups.hold(pid));
}

TEST_CASE("a session that is full of processes refuses commands, and goes on") {
  session_groups groups{40};
  if (!can_sandbox() || !groups.usable())
    return;
  auto limited = plan();
  limited.cgroups = groups.directories();
  session s{limited, 50};
  // Takes every place that becomes free.
  s.start("x", s.shell("exec perl -e '$| = 1; for (;;) { my $child = fork; "
                       "if (!defined $child) { print \"0\\n\" unless $full++; "
                       "select undef, undef, undef, 0.001; next } "
                       "if ($child == 0) { sleep 1000; exit } }'"));
  s.printed_pids("x", 1);
  for (auto exec : {"a", "b", "c", "d"})
    CHECK(s.refusal(exec, s.shell("true"))
          == "no process can be started: Resource temporarily unavailable");
  s.node->say(runner::cancel{"x"});
  CHECK(s.end_of("x").status == exit_status::canceled);
  test::await("the places are free again",
              [&] { return test::descendants_of(s.runner_pid).size() == 3; });
  CHECK(s.run("y", "true").status == exit_status::exited);
}

TEST_CASE("a bomb of processes that adopt each other ends at its cancel") {
  session_groups groups{150};
  if (!can_sandbox() || !groups.usable())
    return;
  auto limited = plan();
  limited.cgroups = groups.directories();
  session s{limited, 5'000};
  s.start("other", s.shell("exec sleep 1000"));
  constexpr std::size_t quiet = 5; // bwrap, init, two supervisors, sleep
  // Each makes itself a subreaper and its children leaders of sessions.
  s.start("x", s.shell("exec perl -MPOSIX -e '$SIG{CHLD} = $SIG{TERM} = "
                       "\"IGNORE\"; for (;;) { syscall "
                       + std::to_string(SYS_prctl)
                       + ", 36, 1, 0, 0, 0; my $c = fork; if (defined $c && "
                         "$c == 0) { POSIX::setsid(); next } fork }'"));
  test::await("it fills the session",
              [&] { return test::descendants_of(s.runner_pid).size() > 120; });
  s.node->say(runner::cancel{"x"});
  CHECK(s.end_of("x").status == exit_status::canceled);
  // By its supervisor, without the second rung that would end all of the
  // session, "other" too.
  test::await("it is gone", [&] {
    return test::descendants_of(s.runner_pid).size() <= quiet;
  });
  s.node->say(runner::cancel{"other"});
  CHECK(s.end_of("other").status == exit_status::canceled);
}
