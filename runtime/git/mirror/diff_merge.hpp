// Two commits of an open repository beside each other. Nothing is written.
// Only sources in runtime/git include this.
#pragma once

#include "runtime/git/common/merge_tree.hpp"
#include "runtime/git/mirror/handles.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace greenroom::git {

/// How much of a diff is shown.
inline constexpr std::size_t max_diff = std::size_t{4} << 20;

/// How files are to be compared: a large one counts as binary.
git_diff_options diff_settings();

/// The unified diff with renames found; where files that count as binary have
/// come or gone, those only whose contents are the same. What is over max_diff
/// is left out at a line's end, and a last line says so.
std::string print(git_diff* diff, git_repository* repo);

/// The tree of a commit, null for the empty id "".
tree_handle tree_at(git_repository* repo, const std::string& commit);

merge_kind compare(git_repository* repo, const git_oid& target,
                   const git_oid& branch);

} // namespace greenroom::git
