// What a session holds on disk is looked at while commands run.
#include "runtime/base/remove_tree.hpp"
#include "tests/runtime/runner/sandboxed.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

using namespace greenroom;
using test::session;

namespace {

void fill(const session& s, const std::string& file, std::size_t size) {
  auto path = s.dir() / file;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream{path} << std::string(size, 'x');
}

} // namespace

TEST_CASE("a session that holds too much is stopped, and can make room") {
  if (!test::can_sandbox())
    return;
  auto limited = test::plan();
  limited.rlimits["disk_tmp"] = 1 << 20;
  session s{limited};
  fill(s, "tmp/big", 3 << 20);
  auto end = s.run("fills", "sleep 1000");
  CHECK(end.status == exit_status::canceled);
  CHECK(end.reason
        == "/tmp held 3 MiB, which is over its limit of 1 MiB: remove what is "
           "not needed");
  // It has not grown since, so there is time to remove it.
  CHECK(s.run("removes", "sleep 0.1").exit_code == 0);
}

TEST_CASE("all that a session can write counts for its limits") {
  if (!test::can_sandbox())
    return;
  auto limited = test::plan();
  limited.rlimits["disk_all"] = 5 << 20;
  session s{limited};
  for (auto file : {"tmp/a", "home/deep/er/b", "checkout/c"})
    fill(s, file, 2 << 20);
  CHECK_THAT(s.run("fills", "sleep 1000").reason,
             Catch::StartsWith("the session held 6")
               && Catch::Contains("over its limit of 5 MiB"));
}

TEST_CASE("what lies too deep to be measured is told") {
  if (!test::can_sandbox())
    return;
  auto limited = test::plan();
  limited.rlimits["disk_files"] = 1'000'000;
  session s{limited};
  unique_fd at{::open((s.dir() / "checkout").c_str(), O_RDONLY | O_DIRECTORY)};
  for (int i = 0; i < 2'100; ++i) {
    REQUIRE(::mkdirat(at.get(), "d", 0700) == 0);
    at.reset(::openat(at.get(), "d", O_RDONLY | O_DIRECTORY));
  }
  CHECK_THAT(s.run("fills", "sleep 1000").reason,
             Catch::Contains("too deep to be measured"));
  remove_tree(s.dir() / "checkout");
}

TEST_CASE("files count for a session's limits, however small") {
  if (!test::can_sandbox())
    return;
  auto limited = test::plan();
  limited.rlimits["disk_files"] = 100;
  session s{limited};
  for (int i = 0; i < 110; ++i)
    fill(s, "home/" + std::to_string(i), 0);
  CHECK_THAT(s.run("fills", "sleep 1000").reason,
             Catch::Contains("files, which is over its limit of 100"));
}
