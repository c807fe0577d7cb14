// What `git merge` would make of two commits, without a checkout.
//
// By `git merge-tree`, with the attributes that the target has committed and
// no configuration but git's own. Used for merges in the mirror and for their
// forecasts in a session, so that both agree. No reference, index or work tree
// is written; objects of the result are.
#pragma once

#include "runtime/base/run_command.hpp"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace greenroom::git {

/// How a branch stands to the target that it might be merged into.
enum class merge_kind {
  up_to_date,   // the target has it already
  fast_forward, // the target can simply move there
  merge,        // both have commits of their own
  unrelated,    // they have no commit in common
};

struct merge_trial {
  merge_kind kind = merge_kind::up_to_date;
  std::string tree;                   // of a merge that is clean
  std::vector<std::string> conflicts; // paths, sorted; the first thousand
  // Why there is no answer but "conflict", where git would have one: a
  // sentence, or empty.
  std::string reason;
};

/// Runs git in the repository that has both commits.
struct repository_git {
  struct call {
    std::vector<std::string> args;
    std::string input{};
    std::filesystem::path work_tree{}; // with GIT_WORK_TREE, and run there
    // Bytes that are kept of what it prints, more of which the caller knows how
    // to do without; 0: as many as may be.
    std::size_t max_output = 0;
  };
  std::function<command_result(const call&)> run;
};

/// No more of a .gitattributes file is read; one that is larger is a reason not
/// to merge.
inline constexpr std::size_t max_attribute_file = std::size_t{1} << 20;

/// Throws std::runtime_error with git's words where it fails.
merge_trial try_merge(const repository_git& git, const std::string& target,
                      const std::string& branch);

} // namespace greenroom::git
