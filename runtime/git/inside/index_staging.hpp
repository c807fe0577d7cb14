// Brings an index in memory up to what lies in the work tree.
#pragma once

#include "runtime/git/common/handles.hpp"

namespace greenroom::git {

enum class stage_mode {
  commit, // what `git add --all` would take, but for embedded repositories
  rescue, // all that a user may have written, ignored files left out
};

/// `index` is the repository's own; it is not written. False where `commit` has
/// left something out that `rescue` might take. Throws checkout_fault that
/// names files which cannot be read.
bool stage_all(git_repository* repo, git_index* index, stage_mode mode);

} // namespace greenroom::git
