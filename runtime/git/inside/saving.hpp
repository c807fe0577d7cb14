// All that a session's user wrote, as commits that can be taken away.
#pragma once

#include "runtime/git/common/author.hpp"
#include "runtime/git/inside/named_work.hpp"
#include "runtime/git/inside/repo.hpp"

#include <optional>
#include <string>
#include <vector>

namespace greenroom::git {

struct saving {
  author by;
  // Check-in: commit here what is not committed, if HEAD is on it; refused
  // while a rebase, merge, … is under way. Empty: not.
  std::string branch;
  std::string message;
  std::string rescue_message;
  std::vector<std::string> known; // commits that the mirror has
  bool beside = false; // commands may be at work: nothing of theirs is touched
  bool own_only = false; // repositories inside are not looked at
  // Of the known those that the upstream has, with what Git LFS keeps of them.
  std::vector<std::string> upstream{};
};

struct savings {
  std::optional<std::string> tip; // of saving::branch
  named_work named;
};

/// Each part is saved by itself, and what cannot be is named in the note. A
/// check-in throws where its branch cannot be saved.
///
/// Nobody else may write there meanwhile, unless it is only a look beside them:
/// locks that lie there are taken for a killed git's, and removed.
savings save_work(const checkout_paths& paths, const saving& what);

/// Writes all that it found and the known commits have not into `fd`, as one
/// pack; nothing where they have all.
void pack_work(const checkout_paths& paths, const saving& what,
               const savings& made, int fd);

/// After pack_work has failed: leaves out what cannot be packed, and has the
/// note say so. False: that is nothing, or the branch, and it is no use trying
/// again.
bool drop_unpackable(const checkout_paths& paths, const saving& what,
                     savings& made);

} // namespace greenroom::git
