// All that a session's user wrote, as commits that can be taken away.
#pragma once

#include "runtime/git/common/author.hpp"
#include "runtime/git/inside/lfs.hpp"
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
};

struct savings {
  std::optional<std::string> tip; // of saving::branch
  named_work named;
  std::vector<lfs_file> lfs; // files that are new on the branch
};

/// Nobody else may write there meanwhile, unless it is only a look beside them:
/// locks that lie there are taken for a killed git's, and removed.
savings save_work(const checkout_paths& paths, const saving& what);

/// Writes all that it found and the known commits have not into `fd`, as one
/// pack; nothing where they have all.
void pack_work(const checkout_paths& paths, const saving& what,
               const savings& made, int fd);

} // namespace greenroom::git
