#include "runtime/git/common/merge_tree.hpp"

#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

using greenroom::git::repository_git;
using greenroom::git::try_merge;
using greenroom::test::temp_dir;

namespace {

/// Where temporary files are made meanwhile.
class temporary_files_in {
public:
  explicit temporary_files_in(const std::filesystem::path& directory) {
    if (const auto* before = std::getenv("TMPDIR"))
      before_ = before;
    ::setenv("TMPDIR", directory.c_str(), 1);
  }
  temporary_files_in(const temporary_files_in&) = delete;
  temporary_files_in& operator=(const temporary_files_in&) = delete;
  ~temporary_files_in() {
    if (before_)
      ::setenv("TMPDIR", before_->c_str(), 1);
    else
      ::unsetenv("TMPDIR");
  }

private:
  std::optional<std::string> before_;
};

/// A target with attributes, and a branch that merges; `read` is called when
/// the attributes are.
repository_git with_attributes(std::function<void()> read) {
  return {[read = std::move(read)](const repository_git::call& call) {
    greenroom::command_result result;
    result.exit_code = 0;
    const auto& what = call.args.front();
    if (what == "merge-base") {
      result.out = "base\n";
    } else if (what == "diff-tree") {
      result.out = ":000000 100644 " + std::string(40, '0') + ' '
                   + std::string(40, '1') + " A" + '\0' + ".gitattributes"
                   + '\0';
    } else if (what == "cat-file") {
      read();
      result.out = "*.lock merge=binary\n";
    } else {
      result.out = "tree";
    }
    return result;
  }};
}

} // namespace

TEST_CASE("a merge whose attributes cannot be written is not made without") {
  temp_dir dir;
  temporary_files_in here{dir.path()};
  CHECK(try_merge(with_attributes([] {}), "target", "branch").tree == "tree");
  auto git = with_attributes([&] {
    for (const auto& made : std::filesystem::directory_iterator{dir.path()})
      std::filesystem::create_directory(made.path() / ".gitattributes");
  });
  CHECK_THROWS_AS(try_merge(git, "target", "branch"), std::system_error);
  CHECK(std::filesystem::is_empty(dir.path()));
}
