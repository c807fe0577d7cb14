// Repositories that git itself does not tell of: below paths that it ignores,
// of submodules that are not checked out, and what stands in git's way.
#pragma once

#include "runtime/git/inside/repo.hpp"

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace greenroom::git {

/// What decides whether git is to be asked more of a work tree, each time that
/// it is saved.
struct tree_survey {
  bool large_files = true;  // there may be one of more than the given size
  bool repositories = true; // there may be some, but for the tree's own
};

/// Looks at all of a work tree; what cannot be read may have either.
tree_survey survey(const std::filesystem::path& top, off_t large);

struct found_repositories {
  std::vector<std::string> paths; // below the work tree
  bool all = true;                // false: there was too much to look at
};

/// Work trees with a repository below paths that git ignores: not deeper than
/// `max_depth` directories below each of them, and after `max_directories`
/// directories no further. Packages in a `node_modules` are looked at, and not
/// what is below them: there are tens of thousands of directories, and this is
/// asked at each check-in.
found_repositories ignored_repositories(const repo& in, int max_depth,
                                        std::size_t max_directories);

/// Git directories below `modules` of a git directory, where git keeps those of
/// submodules. Not those in one another.
std::vector<std::filesystem::path>
module_directories(const std::filesystem::path& git_dir);

/// Paths below the work tree with a `.git` that is no repository. Looks at all
/// directories.
std::vector<std::string> unusable_repositories(const repo& in);

/// Pathspecs of the whole work tree but these paths below it.
std::vector<std::string> all_but(const std::vector<std::string>& without);

/// Where a work tree's `.git` leads; empty: nowhere.
std::filesystem::path git_directory(const std::filesystem::path& top);

/// Of what is neither file nor directory in the git directory of a work tree,
/// such as a FIFO: git would wait for it for as long as it may run. Removes it
/// if `remove`, else throws checkout_fault.
void clear_odd_files(const std::filesystem::path& top, bool remove);

/// Removes them there, and in all repositories below, at which git looks too.
void remove_odd_files(const std::filesystem::path& top);

} // namespace greenroom::git
