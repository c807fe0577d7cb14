// What a program in a sandbox has, and how it ends.
#include "runtime/base/fd.hpp"
#include "tests/runtime/sandbox/sandbox_session.hpp"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

using namespace greenroom;
using namespace greenroom::test;

namespace {

// A program's output that ends only with the last process that holds it.
class held_output {
public:
  held_output() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    reader_.reset(ends[0]);
    writer_.reset(ends[1]);
  }
  int writer() const {
    return writer_.get();
  }
  std::string rest() {
    writer_.reset();
    std::string result;
    std::array<char, 64> buffer;
    for (ssize_t got;
         (got = ::read(reader_.get(), buffer.data(), buffer.size())) > 0;)
      result.append(buffer.data(), static_cast<std::size_t>(got));
    return result;
  }

private:
  unique_fd reader_;
  unique_fd writer_;
};

} // namespace

TEST_CASE("a program runs in the checkout and can write there") {
  sandbox_session s;
  write(s.checkout() / "in.txt", "in");
  auto result = s.shell("pwd; cat in.txt; echo out > out.txt");
  CHECK(result.out == "/workspace\nin");
  CHECK(result.err == "");
  CHECK(result.exit_code == 0);
  CHECK(content(s.checkout() / "out.txt") == "out\n");
}

TEST_CASE("cwd is below the checkout") {
  sandbox_session s;
  std::filesystem::create_directories(s.checkout() / "a/b");
  auto what = s.program({"/usr/bin/pwd"});
  what.cwd = "a/b";
  CHECK(s.run(what).out == "/workspace/a/b\n");
}

TEST_CASE("its environment is the one given and PWD") {
  sandbox_session s;
  auto what = s.program({"/usr/bin/env"});
  what.env = {"A=1", "B=x=y", "EMPTY="};
  auto result = s.run(what);
  CHECK(result.out == "A=1\nB=x=y\nEMPTY=\nPWD=/workspace\n");
}

TEST_CASE("it reads and writes the descriptors that it is given") {
  sandbox_session s;
  write(s.mine() / "from", "bytes\n");
  unique_fd from{::open((s.mine() / "from").c_str(), O_RDONLY | O_CLOEXEC)};
  unique_fd to{
    ::open((s.mine() / "to").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
  auto what = s.program({"/usr/bin/cat"});
  what.stdin_fd = from.get();
  what.stdout_fd = to.get();
  auto result = s.run(what);
  CHECK(result.ok());
  CHECK(result.out == "");
  CHECK(content(s.mine() / "to") == "bytes\n");
}

TEST_CASE("it has no descriptor beyond the three") {
  sandbox_session s;
  // The fourth is what ls reads the list from.
  auto what = s.program({"/usr/bin/ls", "/proc/self/fd"});
  CHECK(s.run(what).out == "0\n1\n2\n3\n");
}

TEST_CASE("its exit code is passed on, and a signal as 128 and more") {
  sandbox_session s;
  CHECK(s.shell("exit 42").exit_code == 42);
  CHECK(s.shell("kill -KILL $$").exit_code == 128 + 9);
}

TEST_CASE("a time-out ends all that it started") {
  sandbox_session s;
  auto what =
    s.program({"/bin/bash", "-c", "setsid sleep 1000 & echo on; sleep 1000"});
  what.timeout = std::chrono::milliseconds{500};
  std::string said;
  // A machine that is busy may take longer than that to start it.
  for (; said.empty() && what.timeout < std::chrono::minutes{2};
       what.timeout *= 4) {
    held_output output;
    what.stdout_fd = output.writer();
    CHECK(s.run(what).timed_out);
    said = output.rest();
  }
  CHECK(said == "on\n");
}

TEST_CASE("what it leaves in the background ends with it") {
  sandbox_session s;
  auto what = s.program(
    {"/bin/bash", "-c", "(trap '' TERM HUP; setsid sleep 1000) & echo on"});
  held_output output;
  what.stdout_fd = output.writer();
  CHECK(s.run(what).ok());
  CHECK(output.rest() == "on\n");
}

TEST_CASE("more of the host is seen where the server wants it, read-only") {
  sandbox_session s;
  auto tool = s.data_dir() / "tools/helper";
  write(tool, "#!/bin/sh\necho helper\n");
  std::filesystem::permissions(tool, std::filesystem::perms{0755});
  auto script = tool.string() + "; echo more >> " + tool.string();
  auto result = run_command(sandbox::run_in_sandbox(
    s.host, s.paths(), s.program({"/bin/bash", "-c", script}), {tool}));
  CHECK(result.out == "helper\n");
  CHECK_THAT(result.err, Catch::Contains("Read-only file system")
                           || Catch::Contains("Permission denied"));
}

TEST_CASE("what cannot be run is said") {
  sandbox_session s;
  auto result = s.run(s.program({"/no/such/program"}));
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.err, Catch::Contains("/no/such/program"));
}

TEST_CASE("git finds the objects that a checkout borrows") {
  sandbox_session s;
  auto git = [&](std::vector<std::string> args) {
    command what;
    what.argv = {"git"};
    what.argv.insert(what.argv.end(), args.begin(), args.end());
    what.env = {"PATH=/usr/bin:/bin",   "GIT_CONFIG_GLOBAL=/dev/null",
                "GIT_AUTHOR_NAME=a",    "GIT_AUTHOR_EMAIL=a@example.org",
                "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org"};
    auto result = run_command(what);
    INFO(result.err);
    REQUIRE(result.ok());
  };
  auto mirror = (s.data_dir() / "repos/real.git").string();
  auto work = (s.data_dir() / "work").string();
  git({"init", "-q", work});
  git({"-C", work, "commit", "-q", "--allow-empty", "-m", "borrowed"});
  git({"clone", "-q", "--bare", work, mirror});
  std::filesystem::remove(s.checkout());
  git({"clone", "-q", "--shared", mirror, s.checkout().string()});
  s.give_checkout();

  auto where = s.paths();
  where.mirror = mirror;
  auto log = s.program({"git", "log", "--format=%s"});
  auto result = run_command(sandbox::run_in_sandbox(s.host, where, log));
  CHECK(result.out == "borrowed\n");
  CHECK(result.err == "");
  // With another mirror the same has to fail.
  CHECK_FALSE(s.run(log).ok());
}

TEST_CASE("in mode none the program runs as it is, in the checkout") {
  auto settings = sandbox_settings(".");
  settings.sandbox.mode = sandbox_mode::none;
  sandbox_session s{settings};
  auto result = s.shell("pwd");
  CHECK(result.out == std::filesystem::canonical(s.checkout()).string() + '\n');
  auto what = s.program({"/usr/bin/env"});
  what.env = {"A=1"};
  CHECK(s.run(what).out == "A=1\n");
  CHECK(sandbox::make_plan(s.host, s.paths()) == std::nullopt);
}

TEST_CASE("little is left for init to reap, which counts until then") {
  constexpr int runs = 5;
  sandbox_session s;
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  for (int i = 0; i < runs; ++i)
    CHECK(s.run(s.program({"true"})).ok());
  int left = 0;
  while (::waitpid(-1, nullptr, 0) > 0)
    ++left;
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  CHECK(left
        <= runs); // the sandboxes' first processes, for bwrap waits for none
}
