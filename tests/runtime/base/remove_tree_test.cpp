#include "runtime/base/remove_tree.hpp"

#include "runtime/base/fd.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <stdexcept>

using namespace greenroom;
using namespace greenroom::test;

namespace fs = std::filesystem;

namespace {

// A tree deeper than any path, with `more` called at its bottom.
void make_deep(const fs::path& top, int depth,
               const std::function<void(int dir)>& more = {}) {
  fs::create_directory(top);
  unique_fd at{::open(top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  for (int i = 0; i < depth; ++i) {
    REQUIRE(::mkdirat(at.get(), "d", 0700) == 0);
    at.reset(::openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(at);
  }
  if (more)
    more(at.get());
}

// This process has few descriptors for as long as it lives: so many beside
// those that are open, which whoever has started it may have left it.
class few_descriptors {
public:
  explicit few_descriptors(rlim_t count) {
    unique_fd next{::open("/", O_PATH | O_CLOEXEC)};
    REQUIRE(next);
    ::getrlimit(RLIMIT_NOFILE, &before_);
    auto limit = before_;
    limit.rlim_cur = static_cast<rlim_t>(next.get()) + count;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  }
  few_descriptors(const few_descriptors&) = delete;
  few_descriptors& operator=(const few_descriptors&) = delete;
  ~few_descriptors() {
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }

private:
  rlimit before_;
};

bool is_there(const fs::path& path) {
  return fs::exists(fs::symlink_status(path));
}

} // namespace

TEST_CASE("a tree of any depth is removed with a few descriptors") {
  temp_dir dir;
  auto top = dir.path() / "top";
  make_deep(top, 20'000, [](int bottom) {
    for (int i = 0; i < 100; ++i)
      REQUIRE(::mkdirat(bottom, std::to_string(i).c_str(), 0700) == 0);
  });
  few_descriptors limit{21};
  remove_tree(top);
  CHECK_FALSE(is_there(top));
}

TEST_CASE("what is closed to its owner is removed all the same") {
  temp_dir dir;
  auto top = dir.path() / "top";
  fs::create_directories(top / "closed/inner/leaf");
  fs::create_directories(top / "unwritable/inner/leaf");
  std::ofstream{top / "closed/file"} << "x";
  for (auto path : {"closed/inner", "closed", "unwritable/inner"})
    ::chmod((top / path).c_str(), 0);
  ::chmod((top / "unwritable").c_str(), 0500);
  ::chmod(top.c_str(), 0700);
  // Root may do anything: look as somebody else where we are root.
  auto child = ::fork();
  if (child == 0) {
    if (::getuid() == 0) {
      ::chmod(dir.path().c_str(), 0777);
      auto chown_all = [](auto& self, const fs::path& path) -> void {
        [[maybe_unused]] auto done = ::lchown(path.c_str(), 65534, 65534);
        if (fs::is_directory(fs::symlink_status(path)))
          for (auto& entry : fs::directory_iterator{path})
            self(self, entry.path());
      };
      chown_all(chown_all, top);
      [[maybe_unused]] auto done = ::setuid(65534);
    }
    try {
      remove_tree(top);
    } catch (const std::exception&) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  CHECK_FALSE(is_there(top));
}

TEST_CASE("no link is followed") {
  temp_dir dir;
  fs::create_directory(dir.path() / "other");
  std::ofstream{dir.path() / "other/kept"} << "x";
  auto top = dir.path() / "top";
  fs::create_directories(top / "inner");
  fs::create_directory_symlink(dir.path() / "other", top / "link");
  fs::create_directory_symlink(dir.path() / "other", top / "inner/link");
  fs::create_symlink("nowhere", top / "inner/dangling");
  remove_tree(top);
  CHECK_FALSE(is_there(top));
  CHECK(is_there(dir.path() / "other/kept"));
  auto link = dir.path() / "link";
  fs::create_directory_symlink(dir.path() / "other", link);
  remove_tree(link);
  CHECK_FALSE(is_there(link));
  CHECK(is_there(dir.path() / "other/kept"));
}

TEST_CASE("names like our own are not in the way") {
  temp_dir dir;
  auto top = dir.path() / "top";
  for (int i = 0; i < 3; ++i) {
    auto name = ".greenroom-removed-" + std::to_string(i);
    fs::create_directories(top / name / "a/b");
    fs::create_directories(top / "other" / name / "a");
  }
  remove_tree(top);
  CHECK_FALSE(is_there(top));
}

TEST_CASE("nothing there is no error, a file is removed") {
  temp_dir dir;
  CHECK_NOTHROW(remove_tree(dir.path() / "absent"));
  std::ofstream{dir.path() / "file"} << "x";
  remove_tree(dir.path() / "file");
  CHECK_FALSE(is_there(dir.path() / "file"));
}
