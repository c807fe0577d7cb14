#include "runtime/git/inside/finding.hpp"

#include "tests/runtime/git/fixture.hpp"

#include <unistd.h>

using namespace greenroom::test;
using greenroom::git::survey;

namespace fs = std::filesystem;

TEST_CASE("a survey tells whether a work tree may have more than git says") {
  temp_dir dir;
  const auto& top = dir.path();
  fs::create_directories(top / ".git/modules/one/.git");
  write(top / ".git/pack", std::string(200, 'x'));
  write(top / "src/deep/file", std::string(100, 'x'));
  fs::create_symlink(top / ".git", top / "src/link");
  CHECK_FALSE(survey(top, 100).large_files);
  CHECK_FALSE(survey(top, 100).repositories);
  SECTION("a file of more than that size") {
    CHECK(survey(top, 99).large_files);
    CHECK_FALSE(survey(top, 99).repositories);
  }
  SECTION("a repository, however deep") {
    fs::create_directories(top / "build/a/b/c/.git");
    CHECK(survey(top, 100).repositories);
  }
  SECTION("a work tree whose repository lies elsewhere") {
    write(top / "src/sub/.git", "gitdir: ../../.git/modules/one\n");
    CHECK(survey(top, 100).repositories);
  }
  SECTION("what cannot be read") {
    CHECK(survey(top / "none", 100).large_files);
    CHECK(survey(top / "none", 100).repositories);
  }
}
