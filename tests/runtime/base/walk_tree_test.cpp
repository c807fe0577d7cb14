#include "runtime/base/walk_tree.hpp"

#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <fstream>
#include <map>
#include <string>
#include <system_error>
#include <vector>

using namespace greenroom;
using namespace greenroom::test;

namespace fs = std::filesystem;

namespace {

std::multimap<std::string, int> walked(const fs::path& top) {
  std::multimap<std::string, int> result;
  walk_tree(top, [&](const visited& it) {
    struct stat info;
    CHECK(::fstatat(it.directory, it.name, &info, AT_SYMLINK_NOFOLLOW) == 0);
    result.emplace(it.name, it.type);
  });
  return result;
}

bool opens_what_it_should(const fs::path& top) {
  opened_directory opened{top};
  auto below = opened.at("a/b");
  auto well = opened.at("") >= 0 && below >= 0 && opened.at("a/b") == below;
  for (auto path : {"link", "link/b", "..", "a/../..", "none", "/"})
    well = well && opened.at(path) < 0;
  return well && opened.at("a") >= 0;
}

/// From now on for this process.
bool has_no_openat2() {
  std::array program{
    sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
    sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
    sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
    sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  sock_fprog filter{program.size(), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
         && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

} // namespace

TEST_CASE("a walk visits everything below a directory once") {
  temp_dir dir;
  auto top = dir.path() / "top";
  fs::create_directories(top / "a/b/c");
  fs::create_directory(top / "empty");
  std::ofstream{top / "file"};
  std::ofstream{top / "a/b/deep"};
  fs::create_symlink("a", top / "link");
  CHECK(walked(top)
        == std::multimap<std::string, int>{{"a", DT_DIR},
                                           {"b", DT_DIR},
                                           {"c", DT_DIR},
                                           {"empty", DT_DIR},
                                           {"file", DT_REG},
                                           {"deep", DT_REG},
                                           {"link", DT_LNK}});
}

TEST_CASE("a walk passes over one name at the top, and not below") {
  temp_dir dir;
  fs::create_directories(dir.path() / ".git/objects");
  fs::create_directories(dir.path() / "below/.git");
  std::vector<std::string> names;
  walk_tree(
    dir.path(), [&](const visited& it) { names.push_back(it.name); }, ".git");
  CHECK(names == std::vector<std::string>{"below", ".git"});
}

TEST_CASE("a walk is not led out by what changes under it") {
  temp_dir dir;
  auto top = dir.path() / "top";
  fs::create_directories(top / "inside");
  fs::create_directories(dir.path() / "outside");
  std::ofstream{dir.path() / "outside/secret"};
  auto swapped = 0;
  walk_tree(top, [&](const visited& it) {
    CHECK(std::string_view{it.name} == "inside");
    fs::remove(top / "inside");
    fs::create_symlink(dir.path() / "outside", top / "inside");
    ++swapped;
  });
  CHECK(swapped == 1);
}

TEST_CASE("what goes during a walk is passed over, and no top is an error") {
  temp_dir dir;
  auto top = dir.path() / "top";
  fs::create_directories(top / "one/below");
  walk_tree(top, [&](const visited&) { fs::remove_all(top / "one"); });
  CHECK_THROWS_AS(walk_tree(dir.path() / "none", [](const visited&) {}),
                  std::system_error);
}

TEST_CASE("directories are opened by paths that lead nowhere else") {
  temp_dir dir;
  fs::create_directories(dir.path() / "top/a/b");
  fs::create_symlink("a", dir.path() / "top/link");
  CHECK(opens_what_it_should(dir.path() / "top"));
  // Where the kernel, or a container's filter, has no openat2.
  auto child = ::fork();
  if (child == 0)
    ::_exit(has_no_openat2() && opens_what_it_should(dir.path() / "top") ? 0
                                                                         : 1);
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}
