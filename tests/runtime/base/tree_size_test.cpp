#include "runtime/base/tree_size.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/remove_tree.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

using namespace greenroom;
using namespace greenroom::test;

namespace {

namespace fs = std::filesystem;

constexpr std::size_t deep_enough = 500;

tree_size size_of(const fs::path& top, std::size_t max_depth = deep_enough) {
  tree_size result;
  add_tree(result, AT_FDCWD, top.c_str(), max_depth);
  return result;
}

void write(const fs::path& file, std::size_t size) {
  fs::create_directories(file.parent_path());
  std::ofstream{file} << std::string(size, 'x');
}

} // namespace

TEST_CASE("a tree's size is that of what lies in it, links left alone") {
  temp_dir dir;
  auto top = dir.path() / "top";
  write(top / "a/b/file", 100'000);
  write(top / "c", 10);
  fs::create_hard_link(top / "a/b/file", top / "same");
  fs::create_symlink("/", top / "root");
  auto size = size_of(top);
  CHECK(size.files == 7);
  CHECK(size.bytes >= 100'000);
  CHECK(size.bytes < 180'000);
  CHECK(size.whole);
  CHECK(size_of(dir.path() / "none").files == 0);
}

// As paths they are longer than any call takes.
TEST_CASE("depth and long names hide nothing") {
  temp_dir dir;
  const auto name = std::string(250, 'd');
  constexpr std::size_t levels = 400;
  fs::create_directory(dir.path() / "top");
  unique_fd at{::open((dir.path() / "top").c_str(), O_RDONLY | O_DIRECTORY)};
  for (std::size_t i = 0; i < levels; ++i) {
    REQUIRE(::mkdirat(at.get(), name.c_str(), 0700) == 0);
    at.reset(::openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY));
  }
  write(dir.path() / "top/zz/last", 10);
  auto size = size_of(dir.path() / "top");
  CHECK(size.files == 1 + levels + 2);
  CHECK(size.whole);
  SECTION("and what is deeper than may be looked is told") {
    auto part = size_of(dir.path() / "top", 100);
    CHECK_FALSE(part.whole);
    CHECK(part.files == 1 + 100 + 2);
  }
  remove_tree(dir.path() / "top");
}

TEST_CASE("whoever has no more time for a tree gets what was seen") {
  temp_dir dir;
  for (int i = 0; i < 3'000; ++i)
    write(dir.path() / std::to_string(i), 0);
  tree_size size;
  add_tree(size, AT_FDCWD, dir.path().c_str(), deep_enough,
           [] { return false; });
  CHECK_FALSE(size.whole);
  CHECK(size.files < 3'000);
}
