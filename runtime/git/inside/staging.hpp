// Brings what lies in a work tree into an index, a commit, a tree.
//
// Each is what `git add -A` and `git commit` would make there. Nobody else may
// write there meanwhile: a lock that lies there is taken for a killed git's.
#pragma once

#include "runtime/git/common/author.hpp"
#include "runtime/git/inside/repo.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::git {

/// What an index says that decides how to go on.
struct inventory {
  std::vector<std::string> overlooked; // git was told not to look at these
  std::vector<std::string> gitlinks;   // other repositories: submodules, …
  std::vector<std::string> conflicts;
};

/// `env` may name another index. nullopt: git cannot read it.
std::optional<inventory>
take_inventory(const repo& in, const std::vector<std::string>& env = {});

/// A copy of the index that is forgotten afterwards; made from HEAD where the
/// index cannot be read.
class scratch_index {
public:
  scratch_index(); // an empty one
  scratch_index(const repo& in, const repo::facts& at, bool readable);
  scratch_index(const scratch_index&) = delete;
  scratch_index& operator=(const scratch_index&) = delete;
  ~scratch_index();

  /// For git_call::env.
  std::vector<std::string> env() const;

  /// Where there is room for more that goes with it.
  const std::filesystem::path& directory() const noexcept {
    return dir_;
  }

private:
  std::filesystem::path dir_;
};

/// Puts an index that cannot be read aside and makes one from HEAD.
void replace_index(const repo& in, const repo::facts& at);

struct staged_files {
  std::vector<std::string> embedded;       // repositories in the index
  std::vector<std::string> without_commit; // those that git cannot add
  std::vector<std::string> unusable;       // those that are none
  // What it cannot read or does not take, each with the reason.
  std::vector<std::string> left_out;
  // The same of what its user has closed, or has removed meanwhile.
  std::vector<std::string> closed;
  // Files that are as they lie there since git could not convert their line
  // ends or encoding.
  std::vector<std::string> unfiltered;
  bool outside = false;     // there is more outside of a sparse checkout
  bool repositories = true; // there may be some inside, ignored ones too
};

enum class stage_mode {
  commit, // as git does it: not what lies outside of a sparse checkout
  rescue, // that too, and all that can be read where something cannot,
  look,   // as rescue, but what its user has closed stays closed
};

/// `git add -A` but for `without`. Throws checkout_fault where it cannot add
/// something. A rescue makes readable what its user has closed, adds as it is
/// what git cannot convert, and leaves out what cannot be read, files whose
/// filter fails, and repositories that are none.
staged_files stage_all(const repo& in, stage_mode mode,
                       const std::vector<std::string>& env = {},
                       std::vector<std::string> without = {});

/// The files, changed or not known to git, whose attribute `filter` has such a
/// value: the name of a filter, or "unspecified", "unset" or "set".
std::vector<std::string>
files_with_filter(const repo& in,
                  const std::function<bool(std::string_view)>& which,
                  const std::vector<std::string>& env);

/// `git commit` of what is staged; nothing where nothing is.
void commit_staged(const repo& in, const author& by,
                   const std::string& message);

/// A commit of a tree that moves nothing; `timeless`: the same for the same, as
/// it bears no date.
std::string write_commit(const repo& in, const std::string& tree,
                         const std::vector<std::string>& parents,
                         const author& by, const std::string& message,
                         bool timeless = false);

/// How save_tree makes its commits.
struct tree_saving {
  author by;
  std::string message;
  stage_mode mode = stage_mode::rescue; // not commit
};

/// Makes a commit of what is not committed without moving HEAD or writing the
/// index, and answers its id, or nullopt if the work tree is as HEAD is. Takes
/// more than `git add -A`, as nothing may be lost: files that git was told to
/// overlook, files in conflict as they are, and it does without a readable
/// index. `found` gets the repositories that lie inside, all as embedded, and
/// what had to be left out.
std::optional<std::string> save_tree(const repo& in, const repo::facts& at,
                                     const tree_saving& how,
                                     staged_files& found);

/// Makes a commit of the files in a directory whose own repository cannot be
/// used, or is none, in the session's repository, without any setting but the
/// home's; `found` gets what had to be left out: files with a filter too, which
/// is not known there, but for those of Git LFS. Answers its id.
std::string save_files(const repo& session, const std::filesystem::path& top,
                       const std::vector<std::string>& parents,
                       const tree_saving& how, staged_files& found);

} // namespace greenroom::git
