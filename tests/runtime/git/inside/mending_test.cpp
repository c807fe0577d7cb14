// Settings that git cannot read.
#include "runtime/git/inside/mending.hpp"

#include "tests/runtime/git/fixture.hpp"

using namespace greenroom;
using test::run_git;

namespace {

/// A repository with more lines in its settings.
struct odd_repository {
  test::temp_dir dir;
  std::filesystem::path config = dir.path() / "r/.git/config";
  std::string before;
  git::repo in{dir.path() / "r", {}};

  explicit odd_repository(const std::string& lines) {
    run_git(dir.path(), {"init", "-q", "r"});
    before = test::read(config) + lines;
    test::write(config, before);
  }

  std::filesystem::path damaged() const {
    return config.string() + ".damaged";
  }
};

} // namespace

TEST_CASE("lines that git cannot read are taken out of its settings") {
  odd_repository at{"<<<<<<< ours\n"
                    "[core]\n\tabbrev\n"
                    "[broken\n\tname = other\n"
                    "[user]\n\tname = Ada\n\temail = \"ada\n"};
  auto told = git::mend_settings(at.in);
  REQUIRE(told);
  INFO(*told);
  CHECK_THAT(*told, Catch::Contains(" of .git/config"));
  CHECK(at.in.find({{"config", "user.name"}}) == "Ada");
  CHECK(test::read(at.damaged()) == at.before);
}

TEST_CASE("what was left out is still known to who comes after") {
  odd_repository at{"garbage here\n"};
  CHECK_FALSE(git::mended_before(at.in));
  auto told = git::mend_settings(at.in);
  REQUIRE(told);
  CHECK(git::mended_before(at.in) == told);
  // Another line, and then one that stays: the file is kept as it was at first.
  test::write(at.config, test::read(at.config) + "[user]\n\tname = \"ada\n");
  auto more = git::mend_settings(at.in);
  REQUIRE(more);
  CHECK_THAT(*more, Catch::StartsWith(*told + ", line "));
  CHECK(git::mended_before(at.in) == more);
  CHECK(test::read(at.damaged()) == at.before);
  auto mended = test::read(at.config);
  test::write(at.config, mended + "garbage here\n[filter\n");
  CHECK_FALSE(git::mend_settings(at.in));
  CHECK(test::read(at.config) == mended + "garbage here\n[filter\n");
  CHECK(git::mended_before(at.in) == more);
  CHECK(test::read(at.damaged()) == at.before);
}

TEST_CASE("lines that may keep something in are not taken out") {
  auto lines = GENERATE(as<std::string>{}, "[core]\n\texcludesFile ~/x\n",
                        "[filter \"x\"]\n\tclean = cat\n\tgarbage here\n",
                        "[filter\n", "garbage here\n[include\n\tpath = x\n");
  odd_repository at{lines};
  CHECK_FALSE(git::mend_settings(at.in));
  CHECK(test::read(at.config) == at.before);
  CHECK_FALSE(std::filesystem::exists(at.damaged()));
}

TEST_CASE("settings that git can read are left as they are") {
  odd_repository at{"[user]\n\tname = Ada\n"};
  CHECK_FALSE(git::mend_settings(at.in));
  CHECK(test::read(at.config) == at.before);
  CHECK_FALSE(std::filesystem::exists(at.damaged()));
}
