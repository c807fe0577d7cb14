// Which names of repositories mean the same one.
#include "runtime/git/common/repository_name.hpp"

#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

using greenroom::git::repository_name;

TEST_CASE("a repository has one name, however it is reached") {
  const auto name = repository_name("https://git.example/team/app.git");
  for (auto other :
       {"https://git.example/team/app", "https://git.example/team/app/",
        "https://GIT.example:443/team/app.git", "http://git.example/team/app",
        "https://someone@git.example/team/app.git/",
        "ssh://git@git.example:2222/team/app.git",
        "git@git.example:team/app.git", "git@git.example:/team/app",
        "git://git.example/team/app.git"}) {
    INFO(other);
    CHECK(repository_name(other) == name);
  }
  for (auto other : {"https://git.example/team/app2", "https://git.example/app",
                     "https://git.example.org/team/app",
                     "https://git.example/Team/app", "/team/app.git"}) {
    INFO(other);
    CHECK(repository_name(other) != name);
  }
}

TEST_CASE("a repository on this machine is known by any way that leads to it") {
  greenroom::test::temp_dir dir;
  std::filesystem::create_directories(dir.path() / "real/app.git");
  std::filesystem::create_directory_symlink(dir.path() / "real",
                                            dir.path() / "link");
  const auto name = repository_name((dir.path() / "real/app.git").string());
  for (auto other :
       {"real/app.git/", "real/../real/app.git", "link/app.git", "real/app"}) {
    auto path = (dir.path() / other).string();
    INFO(path);
    CHECK(repository_name(path) == name);
    CHECK(repository_name("file://" + path) == name);
  }
  CHECK(repository_name((dir.path() / "real/app2.git").string()) != name);
}
