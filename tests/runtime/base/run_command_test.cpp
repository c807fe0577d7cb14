#include "runtime/base/run_command.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/run_until.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <string>
#include <system_error>
#include <thread>

using greenroom::command;
using greenroom::run_command;
using greenroom::run_until;
using greenroom::unique_fd;
using greenroom::test::temp_dir;

namespace {

command shell(const std::string& script) {
  command result;
  result.argv = {"sh", "-c", script};
  result.env = {"PATH=/usr/bin:/bin"};
  return result;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator{"/proc/self/fd"})
    ++count;
  return count;
}

} // namespace

TEST_CASE("a command's output and exit code come back") {
  auto result = run_command(shell("echo out; echo err >&2; exit 7"));
  CHECK(result.exit_code == 7);
  CHECK(result.out == "out\n");
  CHECK(result.err == "err\n");
  CHECK_FALSE(result.ok());
  CHECK_FALSE(result.timed_out);
  CHECK(run_command(shell("exit 0")).ok());
}

TEST_CASE("a command ended by a signal has no exit code") {
  auto result = run_command(shell("kill -TERM $$"));
  CHECK_FALSE(result.exit_code);
  CHECK(result.signal == SIGTERM);
}

TEST_CASE("a command gets its own directory and environment and no other") {
  temp_dir dir;
  auto what =
    shell("pwd; env | grep -v ^PWD | grep -v ^_ | grep -v ^SHLVL | sort");
  what.cwd = dir.path();
  what.env.push_back("GREETING=hello world");
  auto result = run_command(what);
  CHECK(result.out
        == dir.path().string()
             + "\nGREETING=hello world\nPATH=/usr/bin:/bin\n");
}

TEST_CASE("arguments reach a command as they are, through no shell") {
  command what;
  what.argv = {"printf", "%s|%s", "$(id)", "a b; exit 3"};
  CHECK(run_command(what).out == "$(id)|a b; exit 3");
}

TEST_CASE("a command reads the descriptor that it is given") {
  temp_dir dir;
  auto path = dir.path() / "input";
  std::ofstream{path} << "from a file";
  unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  auto what = shell("cat");
  what.stdin_fd = file.get();
  CHECK(run_command(what).out == "from a file");
  CHECK(::fcntl(file.get(), F_GETFD) >= 0);
  CHECK(run_command(shell("cat")).out.empty());
}

TEST_CASE("no descriptor leaks, neither into a command nor here") {
  temp_dir dir;
  unique_fd inheritable{::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY)};
  REQUIRE(inheritable);
  auto before = open_descriptors();
  // The fourth is the directory that ls reads.
  CHECK(run_command(shell("ls /proc/self/fd")).out == "0\n1\n2\n3\n");
  command missing;
  missing.argv = {"greenroom-no-such-program"};
  CHECK_THROWS_AS(run_command(missing), std::system_error);
  CHECK(open_descriptors() == before);
}

TEST_CASE("a program that is not there is named") {
  command what;
  what.argv = {"greenroom-no-such-program"};
  CHECK_THROWS_WITH(run_command(what),
                    Catch::Contains("greenroom-no-such-program"));
}

TEST_CASE("more output than is kept is dropped and does not hold it up") {
  auto what = shell("head -c 3000000 /dev/zero; echo end >&2");
  what.max_output = 1000;
  auto result = run_command(what);
  CHECK(result.ok());
  CHECK(result.out == std::string(1000, '\0'));
  CHECK(result.err == "end\n");
  CHECK(result.truncated);
}

TEST_CASE("a command that prints more than is wanted is ended") {
  command what;
  what.argv = {"yes"};
  what.env = {"PATH=/usr/local/bin:/usr/bin:/bin"};
  what.max_output = 1000;
  what.end_when_full = true;
  auto result = run_command(what);
  CHECK(result.truncated);
  CHECK_FALSE(result.timed_out);
  CHECK(result.signal == SIGKILL);
  CHECK(result.out.size() == 1000);
}

TEST_CASE("at the time-out the whole process group dies") {
  temp_dir dir;
  auto lock = dir.path() / "lock";
  auto what = shell("flock lock sh -c 'echo held; exec sleep 1000' & wait");
  what.cwd = dir.path();
  what.timeout = std::chrono::seconds{1};
  std::string said;
  // A machine that is busy may take longer than that to come so far.
  for (; said.empty() && what.timeout < std::chrono::minutes{2};
       what.timeout *= 4) {
    auto result = run_command(what);
    CHECK(result.timed_out);
    CHECK(result.signal == SIGKILL);
    said = result.out;
  }
  CHECK(said == "held\n");
  // Blocks until the background process has let go of the lock.
  unique_fd file{::open(lock.c_str(), O_RDONLY | O_CLOEXEC)};
  CHECK(::flock(file.get(), LOCK_EX) == 0);
}

// Its caller may be killed before it can end it.
TEST_CASE("a command has no more processor time than its time-out allows") {
  auto limited = shell("while [ \"$(ulimit -t)\" = unlimited ]; do :; done; "
                       "ulimit -t");
  limited.timeout = std::chrono::seconds{100};
  auto processors = std::max(1U, std::thread::hardware_concurrency());
  CHECK(run_command(limited).out == std::to_string(101 * processors) + '\n');
}

TEST_CASE("a command that does something may take longer than one that waits") {
  auto what = shell("while :; do :; done");
  what.timeout = std::chrono::milliseconds{500};
  SECTION("as long as it takes processor time") {
    what = shell("end=$(($(date +%s) + 4)); "
                 "while [ $(date +%s) -lt $end ]; do :; done; exit 7");
    what.timeout = std::chrono::seconds{2};
    what.longest = std::chrono::hours{1};
    CHECK(run_command(what).exit_code == 7);
  }
  SECTION("and so long as something that it has begun does") {
    what = shell("(ulimit -t 3; while :; do :; done); exit 7");
    what.timeout = std::chrono::seconds{2};
    what.longest = std::chrono::hours{1};
    CHECK(run_command(what).exit_code == 7);
  }
  SECTION("and not for ever") {
    what.longest = std::chrono::milliseconds{700};
    CHECK(run_command(what).timed_out);
  }
  SECTION("and one that waits ends at its time-out") {
    temp_dir dir;
    auto fifo = dir.path() / "fifo";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    what = shell("read x < fifo");
    what.cwd = dir.path();
    what.timeout = std::chrono::milliseconds{500};
    what.longest = std::chrono::hours{1};
    CHECK(run_command(what).timed_out);
  }
}

TEST_CASE("a command ends when its caller has to stop") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  unique_fd stop{ends[0]};
  unique_fd teller{ends[1]};
  auto what = shell("sleep 600 & wait");
  SECTION("before they have begun") {
    teller.reset();
  }
  SECTION("while they run") {
    what = shell("echo now >&0; sleep 600 & wait");
    what.stdin_fd = teller.get();
  }
  CHECK_FALSE(run_until(what, stop.get()));
}

TEST_CASE("what a command leaves in the background is not waited for") {
  auto result = run_command(shell("sleep 20 & echo $!"));
  CHECK(result.ok());
  CHECK(::kill(std::stoi(result.out), SIGKILL) == 0);
}

TEST_CASE("a flood of output keeps no command from its time-out") {
  auto what = shell("for i in 1 2 3; do cat /dev/zero & cat /dev/zero >&2 & "
                    "done; wait");
  what.timeout = std::chrono::milliseconds{300};
  what.max_output = 1000;
  auto result = run_command(what);
  CHECK(result.timed_out);
  CHECK(result.signal == SIGKILL);
}

TEST_CASE("a flood from what a command leaves behind ends with the command") {
  auto what = shell("for i in 1 2 3; do cat /dev/zero & done; exit 0");
  what.max_output = 1000;
  CHECK(run_command(what).ok());
}
