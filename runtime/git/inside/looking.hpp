// Questions about a checkout: nothing is written, not even the index.
#pragma once

#include "runtime/git/inside/repo.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace greenroom::git {

struct checkout_status {
  std::optional<std::string> head;   // nullopt: no commit yet
  std::optional<std::string> branch; // nullopt: HEAD is detached
  // As `git status` counts them: untracked files and changed submodules
  // included, ignored files not.
  std::size_t dirty_files = 0;
};

checkout_status status(const checkout_paths& paths);

struct divergence {
  std::size_t ahead = 0;  // commits that only HEAD has
  std::size_t behind = 0; // commits that only the other has
};

/// HEAD, which must have a commit, beside another commit.
divergence compare_head(const checkout_paths& paths, const std::string& commit);

/// How much of a diff is shown.
inline constexpr std::size_t max_diff = std::size_t{4} << 20;

/// The unified diff to the work tree, untracked files included, ignored ones
/// not, from where HEAD left `bases` (commits; none: from nothing). What is
/// over max_diff is left out at a line's end, and a last line says so.
std::string diff_work(const checkout_paths& paths,
                      const std::vector<std::string>& bases);

/// Where a local branch stands; nullopt if there is none of that name.
std::optional<std::string> branch_tip(const checkout_paths& paths,
                                      std::string_view branch);

} // namespace greenroom::git
