// Commands of a node that has lost its connection to the others.
#include "runtime/base/steady_ms.hpp"
#include "runtime/runner/protocol/run_lease.hpp"
#include "tests/runtime/runner/session_fixture.hpp"

using namespace greenroom;
using namespace greenroom::test;
using Catch::Matchers::Contains;

namespace {

constexpr millis lease_soon = 300;
constexpr millis later = 600'000;

// A node's directory with a lease, and a session under it.
struct leased_node {
  temp_dir dir;
  runner::run_lease_writer lease{dir.path()};

  explicit leased_node(millis stop_in, millis kill_in = later) {
    renew(stop_in, kill_in);
  }

  void renew(millis stop_in, millis kill_in = later) {
    lease.write({steady_ms() + stop_in, steady_ms() + kill_in});
  }

  session::leased file() const {
    return {dir.path() / runner::run_lease_file};
  }
};

} // namespace

TEST_CASE("a lease's times are read as they were written") {
  temp_dir dir;
  runner::run_lease_writer writer{dir.path()};
  runner::run_lease_reader reader{
    (dir.path() / runner::run_lease_file).string()};
  CHECK(reader.read() == runner::run_lease{0, 0}); // none yet: it is over
  writer.write({7, 1'000'000'000'000});
  CHECK(reader.read() == runner::run_lease{7, 1'000'000'000'000});
  runner::run_lease_writer after_a_restart{dir.path()};
  CHECK(reader.read() == runner::run_lease{7, 1'000'000'000'000});
  CHECK_THROWS_AS(runner::run_lease_reader{"/nowhere/run-lease"},
                  std::system_error);
}

TEST_CASE("commands are told at two thirds of a lease, and killed before its "
          "end") {
  CHECK(runner::run_lease_of(1'000, 12'000, 0)
        == runner::run_lease{9'000, 12'000});
  CHECK(runner::run_lease_of(1'000, 12'000, 60'000)
        == runner::run_lease{69'000, 72'000});
}

TEST_CASE("a command ends when its node's lease does, with nobody to say so") {
  leased_node node{later};
  session s{node.file()};
  s.start("e1", s.shell("sleep 1000 & sleep 1000"));
  auto all = descendants_of(s.runner_pid);
  s.node.reset(); // as when the node is killed
  node.renew(lease_soon);
  CHECK(ends(s.runner_pid));
  for (auto pid : all)
    CHECK(ends(pid));
  auto record = read_exit_record(s.exec_dir("e1"));
  REQUIRE(record);
  CHECK(record->status == exit_status::canceled);
  CHECK_THAT(record->reason, Contains("no connection to the cluster"));
}

TEST_CASE("a command that takes no TERM is killed before others begin") {
  leased_node node{later};
  session s{node.file()};
  s.start("e1", s.shell("trap '' TERM; echo up; sleep 1000; sleep 1000"));
  s.printed("e1", "up");
  s.node.reset();
  node.renew(lease_soon, 2 * lease_soon);
  CHECK(ends(s.runner_pid));
  auto record = read_exit_record(s.exec_dir("e1"));
  REQUIRE(record);
  CHECK_THAT(record->reason, Contains("no connection to the cluster"));
}

TEST_CASE("a lease that is renewed ends nothing") {
  constexpr millis first_lease = 10'000; // a command has to start within it
  const auto first_end = steady_ms() + first_lease;
  leased_node node{first_lease};
  session s{node.file()};
  s.start("e1", s.shell("sleep 1000"));
  node.renew(later);
  auto process = open_pidfd(s.runner_pid);
  const auto past_it =
    std::max<millis>(first_end - steady_ms(), 0) + 4 * lease_soon;
  CHECK_FALSE(becomes_readable(process.get(), static_cast<int>(past_it)));
  CHECK_FALSE(read_exit_record(s.exec_dir("e1")));
}

TEST_CASE("nothing begins while the lease is over") {
  leased_node node{0};
  session s{node.file()};
  CHECK_THAT(s.refusal("e1", s.shell("echo no")),
             Contains("no connection to the cluster"));
  node.renew(later);
  CHECK(s.run("e2", "echo yes").exit_code == 0);
}
