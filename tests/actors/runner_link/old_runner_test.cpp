// Runners that an older version of the server has started.
#include "tests/actors/runner_link/first_version.hpp"
#include "tests/actors/runner_link/linked_session.hpp"

#include <cstdlib>

using namespace greenroom;
using greenroom::test::linked_session;

namespace {

void check_port_refused(linked_session& s) {
  s.link->connect(s.id, s.user, 7, 80);
  CHECK(s.hear<port_connected>().problem
        == "this session's commands were started by an older version of the "
           "server, which cannot connect to ports; a new session can");
}

} // namespace

TEST_CASE("a runner of the first version is adopted, and what it cannot do is "
          "refused") {
  linked_session s;
  test::first_version_runner old{s.session_dir()};
  s.attach(false);
  CHECK(s.hear<runner_up>().execs.empty());
  REQUIRE(s.link->send(s.id, runner::spawn{"x"}));
  CHECK(s.hear<exec_started>().exec_id == "x");
  check_port_refused(s);
  s.open_link();
  s.attach(false);
  auto up = s.hear<runner_up>();
  REQUIRE(up.execs.size() == 1);
  CHECK(up.execs[0].exec_id == "x");
  check_port_refused(s);
  REQUIRE(s.link->send(s.id, runner::cancel{"x"}));
  CHECK(s.hear<exec_ended>().outcome.status == exec_status::canceled);
}

// `./dev upgrade` builds one and names it.
TEST_CASE("a real runner of an older version is adopted with what runs in it") {
  const auto* binary = std::getenv("GREENROOM_OLD_RUNNER");
  if (!binary) {
    WARN("GREENROOM_OLD_RUNNER names no runner of an older version: not "
         "tested");
    return;
  }
  linked_session s;
  s.open_link(binary);
  s.attach(true);
  s.hear<runner_up>();
  s.spawn("old",
          "echo before; until [ -e go ]; do sleep 0.1; done; echo after");
  s.printed("old", "before\n");
  s.open_link();
  s.attach(false);
  auto up = s.hear<runner_up>();
  REQUIRE(up.execs.size() == 1);
  CHECK(up.execs[0].exec_id == "old");
  check_port_refused(s);
  s.spawn("new", "touch go; echo there");
  CHECK(s.hear<exec_started>().exec_id == "new");
  for (int ended = 0; ended < 2; ++ended)
    CHECK(s.hear<exec_ended>().outcome.exit_code == 0);
  CHECK(s.output("old") == "before\nafter\n");
  CHECK(s.output("new") == "there\n");
  s.link->stop(s.id, s.user);
  s.hear<runner_down>();
  // The next runner is of this version.
  s.make_files(s.id);
  s.attach(true);
  s.hear<runner_up>();
  s.hear<ports_changed>();
  CHECK(s.run("last", "true").outcome.status == exec_status::exited);
}
