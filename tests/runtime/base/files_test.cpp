#include "runtime/base/files.hpp"

#include "runtime/base/fd.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

using namespace greenroom;
using Catch::Matchers::Contains;

namespace {

auto entries(const std::filesystem::path& dir) {
  return std::distance(std::filesystem::directory_iterator{dir},
                       std::filesystem::directory_iterator{});
}

} // namespace

TEST_CASE("a file that is written can be read, and nothing else is left") {
  test::temp_dir dir;
  for (bool durable : {false, true}) {
    auto path = dir.path() / "file";
    write_file_atomic(path, "first", 0640, durable);
    write_file_atomic(path, std::string("se\0cond", 7), 0600, durable);
    CHECK(read_file(path) == std::string("se\0cond", 7));
    CHECK(entries(dir.path()) == 1);
    struct stat info;
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
  }
}

TEST_CASE("a file that does not exist is no file, and an empty one is") {
  test::temp_dir dir;
  CHECK_FALSE(read_file(dir.path() / "none"));
  std::ofstream{dir.path() / "empty"};
  CHECK(read_file(dir.path() / "empty") == "");
}

TEST_CASE("files whose size is not told are read whole") {
  auto text = read_file("/proc/self/status");
  REQUIRE(text);
  CHECK(text->starts_with("Name:"));
  CHECK(text->ends_with("\n"));
  // A sysctl is told to the first call alone.
  auto setting = read_file("/proc/sys/kernel/pid_max");
  REQUIRE(setting);
  CHECK(setting->size() > 2);
  CHECK(setting->ends_with("\n"));
}

TEST_CASE("a large file is read whole") {
  test::temp_dir dir;
  std::string text(3'000'000, 'x');
  write_file_atomic(dir.path() / "large", text, 0600, false);
  CHECK(read_file(dir.path() / "large") == text);
}

TEST_CASE("paths can start from an open directory") {
  test::temp_dir dir;
  unique_fd fd{::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  write_file_atomic(fd.get(), "file", "text", 0600, true);
  CHECK(read_file(fd.get(), "file") == "text");
  CHECK(read_file(dir.path() / "file") == "text");
}

TEST_CASE("an error names the path, and a failed write changes nothing") {
  test::temp_dir dir;
  CHECK_THROWS_WITH(read_file(dir.path()), Contains(dir.path().string()));
  auto nowhere = dir.path() / "none" / "file";
  CHECK_THROWS_WITH(write_file_atomic(nowhere, "", 0600, false),
                    Contains(nowhere.string()));
  auto taken = dir.path() / "directory";
  std::filesystem::create_directory(taken);
  CHECK_THROWS_AS(write_file_atomic(taken, "text", 0600, false),
                  std::system_error);
  CHECK(entries(dir.path()) == 1);
}

TEST_CASE("a directory is made with its parents, and may exist") {
  test::temp_dir dir;
  auto path = dir.path() / "a/b/c";
  ensure_dir(path);
  ensure_dir(path);
  ensure_dir(path / "");
  CHECK(std::filesystem::is_directory(path));
  std::ofstream{dir.path() / "file"};
  CHECK_THROWS_WITH(ensure_dir(dir.path() / "file"), Contains("file"));
  CHECK_THROWS_AS(ensure_dir(dir.path() / "file/below"), std::system_error);
}

TEST_CASE("the files of a process that is gone are not there") {
  auto pid = ::fork();
  if (pid == 0)
    for (;;)
      ::pause();
  unique_fd dir{::open(("/proc/" + std::to_string(pid)).c_str(),
                       O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  CHECK(read_file(dir.get(), "cmdline"));
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  CHECK_FALSE(read_file(dir.get(), "cmdline"));
  CHECK_FALSE(read_file("/proc/" + std::to_string(pid) + "/cmdline"));
}
