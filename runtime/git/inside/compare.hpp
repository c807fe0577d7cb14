// Questions about a session's work beside other commits. As session_repo.hpp,
// and only for greenroom-git too; nothing is written, not even an object.
#pragma once

#include "runtime/git/common/diff_merge.hpp"
#include "runtime/git/inside/repo.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace greenroom::git {

struct divergence {
  std::size_t ahead = 0;  // commits that only HEAD has
  std::size_t behind = 0; // commits that only the other has
};

/// HEAD, which must have a commit, beside another commit.
divergence compare_head(const session_place& place, const std::string& commit);

/// The unified diff from a commit (empty: from nothing) to the work tree,
/// untracked files included, ignored ones not.
std::string diff_work(const session_place& place, const std::string& commit);

struct merge_preview {
  std::string commit; // the branch's tip; empty: it has none
  merge_kind kind = merge_kind::up_to_date;
  std::vector<std::string> conflicts;
};

/// What merging the branch, as committed, into a commit would do.
merge_preview preview_merge(const session_place& place,
                            const std::string& branch,
                            const std::string& target);

} // namespace greenroom::git
