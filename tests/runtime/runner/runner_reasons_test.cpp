// Why a command that did not end by itself has ended; and commands that are
// too long for the kernel.
#include "tests/runtime/runner/sandboxed.hpp"

#include <chrono>
#include <csignal>

using namespace greenroom;
using test::session;

namespace {

const std::string signaled_inside =
  "the signal came from inside the session or from the kernel";

} // namespace

TEST_CASE("a command that was ended says by what") {
  session s;
  auto late = s.shell("sleep 1000");
  late.timeout = 1'250;
  CHECK(s.run("late", late).reason
        == "the command ran longer than its timeout of 1.25 s");
  s.start("a", s.shell("sleep 1000"));
  s.node->say(runner::cancel{"a", "Ada canceled it"});
  CHECK(s.end_of("a").reason == "Ada canceled it");
  s.start("b", s.shell("sleep 1000"));
  s.node->say(runner::cancel{"b"});
  CHECK(s.end_of("b").reason == "it was canceled by a request");
  CHECK(s.run("c", "exit 3").reason.empty());
  for (std::string signal : {"KILL", "SEGV", "TERM"})
    CHECK(s.run(signal, "ulimit -c 0; kill -" + signal + " $$").reason
          == signaled_inside);
  CHECK(s.run("hidden", "sh -c 'kill -KILL $$'; exit 3").reason.empty());
  s.start("d", s.shell("sleep 1000"));
  s.node->say(runner::send_signal{"d", SIGUSR1});
  CHECK(s.end_of("d").reason == "the signal was sent by a request");
  // One that was asked for counts for no other.
  s.start("other", s.shell("trap 'kill -KILL $$' USR1; echo up; "
                           "while :; do sleep 1000 & wait; done"));
  s.printed("other", "up\n");
  s.node->say(runner::send_signal{"other", SIGUSR1});
  CHECK(s.end_of("other").reason == signaled_inside);
  s.start("e", s.shell("sleep 1000"));
  s.node->say(runner::stop{});
  auto end = s.end_of("e");
  CHECK(end.status == exit_status::canceled);
  CHECK(end.reason == "the session ended");
}

TEST_CASE("a command that ran out of memory says so") {
  test::session_groups groups{100, 64 << 20};
  if (!test::can_sandbox() || !groups.limits_memory())
    return;
  auto limited = test::plan();
  limited.cgroups = groups.directories();
  session s{limited};
  constexpr auto hog = "perl -e '$x = \"x\" x (256 << 20); print length $x'";
  auto reason = "out of memory: the kernel killed one of the session's "
                "processes at its limit of 64 MiB";
  CHECK(s.run("first", std::string{"exec "} + hog).reason == reason);
  CHECK(s.run("behind-a-shell", std::string{hog} + "; exit $?").reason
        == reason);
  CHECK(s.run("killed", "kill -KILL $$").reason == signaled_inside);
  CHECK(s.run("well", "true").reason.empty());
}

TEST_CASE("an interactive shell is hung up, and does not wait for its kill") {
  constexpr millis grace = 120'000;
  session s{grace};
  for (auto ends : {"cancel", "stop"}) {
    INFO(ends);
    auto shell = s.shell("");
    shell.argv = {"/bin/bash", "--norc", "-i"};
    shell.env["PS1"] = "ready> ";
    shell.rows = 24;
    shell.cols = 80;
    s.start(ends, shell);
    s.printed(ends, "ready> ", output_stream::tty);
    auto before = std::chrono::steady_clock::now();
    if (ends == std::string{"cancel"})
      s.node->say(runner::cancel{ends});
    else
      s.node->say(runner::stop{});
    CHECK(s.end_of(ends).status == exit_status::canceled);
    CHECK(std::chrono::steady_clock::now() - before
          < std::chrono::milliseconds{grace});
  }
}

TEST_CASE("a command of any length runs") {
  session s;
  for (std::size_t size : {100'000, 131'071, 131'072, 200'000, 8'000'000}) {
    INFO(size);
    auto exec = "e" + std::to_string(size);
    std::string script = "echo $0 ${#1} $1; : ";
    script.resize(size - 7, 'x');
    script += "; exit 7";
    auto spec = s.shell(script);
    spec.argv.insert(spec.argv.end(), {"name", "word"});
    CHECK(s.run(exec, spec).exit_code == 7);
    CHECK(s.output(exec) == "name 4 word\n");
  }
  // Many arguments, and a big environment.
  auto spec = s.shell("echo $# ${#BIG0}");
  spec.argv.push_back("name");
  for (int i = 0; i < 40; ++i)
    spec.argv.emplace_back(std::string(60'000, 'a'));
  for (int i = 0; i < 20; ++i)
    spec.env["BIG" + std::to_string(i)] = std::string(100'000, 'b');
  CHECK(s.run("many", spec).exit_code == 0);
  CHECK(s.output("many") == "40 100000\n");
  // One that no program can be given is the shell's own.
  auto quoted = "it's " + std::string(200'000, 'b');
  auto script = s.shell("echo ${#BIG0} ${BIG0:0:6} $0; true");
  script.argv.push_back("name");
  script.env["BIG0"] = quoted;
  for (int i = 1; i < 80; ++i)
    script.env["BIG" + std::to_string(i)] = std::string(100'000, 'b');
  CHECK(s.run("shell", script).exit_code == 0);
  CHECK(s.output("shell") == "200005 it's b name\n");
  spec.argv = {"true"};
  spec.env["BIG0"] = quoted;
  CHECK(s.refusal("too-big", spec)
        == "the command's arguments and environment are too long: one of them "
           "may have 128 KiB, all together 6 MiB");
}
