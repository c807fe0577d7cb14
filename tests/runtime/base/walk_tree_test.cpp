#include "runtime/base/walk_tree.hpp"

#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>
#include <map>
#include <system_error>

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
  opened_directory opened{dir.path() / "top"};
  CHECK(opened.at("") >= 0);
  auto below = opened.at("a/b");
  CHECK(below >= 0);
  CHECK(opened.at("a/b") == below);
  for (auto path : {"link", "link/b", "..", "a/../..", "none"})
    CHECK(opened.at(path) < 0);
  CHECK(opened.at("a") >= 0);
}
