// A runner that has nothing to do is ended, and is there again at need.
#include "tests/actors/runner_link/linked_session.hpp"
#include "tests/support/eventually.hpp"

#include <signal.h>

using namespace greenroom;
using greenroom::test::linked_session;
using greenroom::test::news;

namespace {

const auto program = test::binary_dir() / "greenroom-runner";

void await_rest(const linked_session& s) {
  test::await("the runner rests", [&] { return s.link->connected() == 0; });
  CHECK_FALSE(s.link->process_of(s.id));
}

/// A session whose runner has had a command, and rests.
struct resting_session : linked_session {
  explicit resting_session(const std::filesystem::path& binary = program) {
    open_link(binary, 20);
    attach(true);
    hear<runner_up>();
    CHECK(run("first", "true").outcome.exit_code == 0);
    await_rest(*this);
  }
};

} // namespace

TEST_CASE("a runner that rests is there again, and nobody notices") {
  resting_session s;
  s.spawn("second", "echo back; read x");
  auto first = s.heard->next(test::timeout);
  while (first && std::holds_alternative<ports_changed>(*first))
    first = s.heard->next(test::timeout);
  REQUIRE(first);
  REQUIRE(std::holds_alternative<exec_started>(*first));
  CHECK(s.hear<exec_ended>().outcome.exit_code == 1);
  CHECK(s.output("second") == "back\n");
  await_rest(s);
}

TEST_CASE("commands that come just when a runner goes to rest are all done") {
  linked_session s;
  s.open_link(program, 1);
  s.attach(true);
  s.hear<runner_up>();
  constexpr int commands = 100;
  for (int i = 0; i < commands; ++i) {
    auto exec = "x" + std::to_string(i);
    s.spawn(exec, "exit 7");
    CHECK(s.hear<exec_ended>().outcome.exit_code == 7);
    // Sometimes before, sometimes after.
    if (i % 3 == 0)
      await_rest(s);
  }
}

TEST_CASE("what runs in the background keeps a session's processes") {
  linked_session s;
  s.open_link(program, 20);
  s.attach(true);
  s.hear<runner_up>();
  s.run("x", "sleep 1000 >/dev/null 2>&1 & echo $!");
  auto left = std::stoi(s.output("x"));
  CHECK(s.run("y", "sleep 0.2").outcome.exit_code == 0);
  CHECK(s.link->connected() == 1);
  CHECK(::kill(left, 0) == 0);
}

TEST_CASE("an ending of a session whose runner rests has nothing to end") {
  resting_session s;
  s.link->stop(s.id, s.user);
  CHECK(s.hear<runner_down>().reason.empty());
}

TEST_CASE("where a runner rests none is found, and nothing is swept up") {
  resting_session s;
  s.open_link();
  s.attach(false);
  CHECK(s.hear<runner_down>().reason.empty());
}

TEST_CASE("where no runner can be had again the command is refused") {
  test::temp_dir elsewhere;
  auto binary = elsewhere.path() / "greenroom-runner";
  std::filesystem::copy_file(program, binary);
  resting_session s{binary};
  std::filesystem::remove(binary);
  s.spawn("second", "true");
  auto refused = s.hear<exec_refused>();
  CHECK(refused.exec_id == "second");
  CHECK(refused.reason
        == "the session's runner cannot be started: cannot start \""
             + binary.string() + "\": No such file or directory");
  s.hear<runner_down>();
}

TEST_CASE("a line leads to one runner, awake or not, and to no later one") {
  resting_session s;
  auto write = [&](const std::string& exec) {
    write_exec_spec(s.session_dir(), exec,
                    {{"/bin/true"}, "", {{"PATH", "/usr/bin:/bin"}}, 0, 1000});
  };
  auto line = s.link->line_of(s.id);
  REQUIRE(line);
  for (const auto* exec : {"second", "third"})
    write(exec);
  CHECK(line(runner::spawn{"second"}));
  CHECK(s.hear<exec_ended>().exec_id == "second");
  // Whoever is attached anew has a line of its own, though the runner is the
  // same.
  s.attach(true);
  s.hear<runner_up>();
  CHECK_FALSE(line(runner::spawn{"third"}));
  line = s.link->line_of(s.id);
  CHECK(line(runner::spawn{"third"}));
  CHECK(s.hear<exec_ended>().exec_id == "third");
  s.link.reset();
  CHECK_FALSE(line(runner::spawn{"third"}));
}
