// What merging a session's branch would do.
#pragma once

#include "runtime/git/common/merge_tree.hpp"
#include "runtime/git/inside/repo.hpp"

#include <string>

namespace greenroom::git {

struct merge_preview {
  std::string commit; // the branch's tip; empty: it has none
  merge_trial trial;
};

/// What merging the branch, as committed, into a commit would do: as a merge
/// in the mirror, which knows nothing of the session's configuration. Nothing
/// is written in the checkout.
merge_preview preview_merge(const checkout_paths& paths,
                            const std::string& branch,
                            const std::string& target);

} // namespace greenroom::git
