// Merges of reviewed commits, made in the mirror and pushed to the upstream.
//
// Everything happens in memory and in the mirror's object store; no checkout is
// involved and nothing but the target branch moves, and that only from where
// the review saw it. Objects that a merge in vain leaves in the mirror are
// harmless. Ids are 40 hex digits; names have passed name_fault.
#pragma once

#include "runtime/git/common/author.hpp"
#include "runtime/git/mirror/mirror.hpp"

#include <string>
#include <vector>

namespace greenroom::git {

struct merge_spec {
  git::mirror mirror;
  std::string target; // a branch
  std::string base;   // where the target must stand; empty: must not exist
  std::string commit; // in the mirror
  author by;
  std::string message; // of the merge commit, where there has to be one
};

enum class merge_end {
  merged,   // the upstream's target has the commit, now or for some time
  conflict, // `files` cannot be merged
  stale,    // the target is not where it must stand
};

struct merge_result {
  merge_end end = merge_end::merged;
  std::string commit; // merged: by which the target got it
  std::vector<std::string> files;
};

/// Moves the upstream's target to the commit, or to a merge commit of both.
/// Looks at the upstream first, so it can be run again after a crash at any
/// step. Throws refused: conflict where the two have no commit in common, are
/// too large to be merged here, or the upstream does not want it; unavailable,
/// not_found.
merge_result merge(const merge_spec& spec);

/// The commit that a merge would move the target to, made but moving nothing:
/// what is to be looked at before. Never stale.
merge_result prepare_merge(const merge_spec& spec);

/// What `to` changed since it left `from` (empty: all of it), as a unified
/// diff with renames found; files of over 8 MiB count as binary. What is over 4
/// MiB is left out, and a last line says so. Throws refused: not_found, timeout
/// or conflict where they are too large to be compared, overloaded where
/// `stop_fd` can be read first (question_limits.hpp).
std::string diff_commits(const mirror& mirror, const std::string& from,
                         const std::string& to, int stop_fd = -1);

} // namespace greenroom::git
