// Diffs as text and merges in memory, of any open repository.
//
// Neither writes a reference, an index or a work tree. Only sources in
// runtime/git include this.
#pragma once

#include "runtime/git/common/handles.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace greenroom::git {

/// How much of a diff is shown.
inline constexpr std::size_t max_diff = std::size_t{4} << 20;

/// How files are to be compared: a large one counts as binary.
git_diff_options diff_settings();

/// The unified diff with renames found. What is over max_diff is left out at a
/// line's end, and a last line says so.
std::string print(git_diff* diff);

/// The tree of a commit, null for the empty id "".
tree_handle tree_at(git_repository* repo, const std::string& commit);

/// How a branch stands to the target that it might be merged into.
enum class merge_kind {
  up_to_date,   // the target has it already
  fast_forward, // the target can simply move there
  merge,        // both have commits of their own
  unrelated,    // they have no commit in common
};

merge_kind compare(git_repository* repo, const git_oid& target,
                   const git_oid& branch);

struct merge_trial {
  index_handle index; // of the merged tree, where there are no conflicts
  std::vector<std::string> conflicts; // paths, sorted; the first thousand
};

/// Merges two commits. Objects of the merged files go into the repository.
merge_trial merge_trees(git_repository* repo, const git_oid& target,
                        const git_oid& branch);

} // namespace greenroom::git
