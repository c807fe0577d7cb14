// The looks at a session's disk, by processes of their own.
#include "runtime/runner/outer/disk_watch.hpp"

#include "runtime/base/files.hpp"
#include "tests/runtime/runner/session_fixture.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <new>
#include <string>
#include <vector>

using namespace greenroom;
using namespace greenroom::runner;
using namespace std::chrono_literals;

namespace {

/// A watch of a session whose /tmp holds too much; what its looks say to the
/// runner's log is in a file.
struct watched_disk {
  test::temp_dir dir;
  event_loop loop;
  bool fails = false;
  std::vector<std::string> told;
  unique_fd session;
  std::optional<disk_watch> watch;

  watched_disk() {
    std::filesystem::create_directory(dir.path() / "tmp");
    std::ofstream{dir.path() / "tmp" / "file"} << std::string(100'000, 'x');
    session.reset(::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY));
    disk_limits limits;
    limits.temporary = 1;
    watch.emplace(
      loop, session.get(), limits,
      [this] {
        if (fails)
          throw std::bad_alloc{};
      },
      [this](const std::string& reason) { told.push_back(reason); });
  }

  /// Looks as if it was that late, and waits for what comes of it. Returns the
  /// exit code of the process that has looked.
  int look(steady::time_point now) {
    const auto us = ::getpid();
    const auto before = test::children_of(us);
    unique_fd errors{::dup(STDERR_FILENO)};
    unique_fd file{::open((dir.path() / "log").c_str(),
                          O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    ::dup2(file.get(), STDERR_FILENO);
    try {
      watch->attend(now, true);
    } catch (...) {
    }
    if (::getpid() != us)
      ::_exit(99); // a second runner
    ::dup2(errors.get(), STDERR_FILENO);
    int status = -1;
    for (auto child : test::children_of(us))
      if (std::ranges::find(before, child) == before.end())
        ::waitpid(child, &status, 0);
    loop.run_once(steady::now() + 10s);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string log() const {
    return read_file(dir.path() / "log").value_or("");
  }
};

} // namespace

TEST_CASE("a look at the disk that fails says why, and ends as what it is") {
  watched_disk disk;
  const auto begin = steady::now();
  disk.watch->attend(begin, true);
  disk.fails = true;
  CHECK(disk.look(begin + 1h) == 1);
  CHECK(disk.told.empty());
  CHECK(disk.log()
        == "greenroom-runner: what the session holds on disk cannot be "
           "measured: std::bad_alloc\n");
  // The next is another one.
  disk.fails = false;
  CHECK(disk.look(steady::now() + 1h) == 0);
  REQUIRE(disk.told.size() == 1);
  CHECK_THAT(disk.told[0], Catch::StartsWith("/tmp held "));
  CHECK(disk.log().empty());
}
