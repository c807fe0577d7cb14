// Runners that an older version of the server has started.
#include "runtime/base/files.hpp"
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

// As the session writes it down, of a command whose input ends behind `text`.
void keep(linked_session& s, const std::string& exec, const std::string& script,
          const std::string& text) {
  runner::command_spec spec{{"/bin/bash", "-c", script},
                            "",
                            {{"PATH", "/usr/bin:/bin"}},
                            0,
                            1'000'000,
                            true};
  spec.env["GREENROOM_SESSION_ID"] = s.id;
  spec.first_input = spec.input_ends = true;
  write_exec_spec(s.session_dir(), exec, spec);
  write_file_atomic(exec_directory(s.session_dir(), exec) / runner::input_file,
                    text, 0600, false);
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

TEST_CASE("what an older runner's commands are to be fed at first, the node "
          "feeds once") {
  linked_session s;
  test::first_version_runner old{s.session_dir()};
  s.attach(false);
  s.hear<runner_up>();
  keep(s, "x", "cat", "one\n");
  REQUIRE(s.link->send(s.id, runner::spawn{"x"}));
  CHECK(s.hear<exec_started>().exec_id == "x");
  CHECK(old.fed("x") == "one\n");
  // The node was away when it started: what lies there nobody has fed.
  s.link.reset();
  keep(s, "y", "cat", "two\n");
  old.start("y");
  s.open_link();
  s.attach(false);
  CHECK(s.hear<runner_up>().execs.size() == 2);
  CHECK(old.fed("y") == "two\n");
  for (auto exec : {"x", "y"})
    CHECK_FALSE(std::filesystem::exists(exec_directory(s.session_dir(), exec)
                                        / runner::input_file));
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
  keep(s, "fed", "cat", std::string(300'000, 'x'));
  REQUIRE(s.link->send(s.id, runner::spawn{"fed"}));
  CHECK(s.hear<exec_ended>().outcome.exit_code == 0);
  CHECK(s.output("fed") == std::string(300'000, 'x'));
  s.link->stop(s.id, s.user);
  s.hear<runner_down>();
  // The next runner is of this version.
  s.make_files(s.id);
  s.attach(true);
  s.hear<runner_up>();
  s.hear<ports_changed>();
  CHECK(s.run("last", "true").outcome.status == exec_status::exited);
}
