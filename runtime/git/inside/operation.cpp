#include "runtime/git/inside/operation.hpp"

#include "runtime/base/files.hpp"

namespace greenroom::git {

namespace {

struct operation {
  const char* mark; // a file or directory of the git directory
  const char* name;
  const char* finish;
  const char* drop;
};

// They need no terminal. In this order: an am leaves rebase-apply too, a rebase
// CHERRY_PICK_HEAD.
constexpr operation operations[] = {
  {"rebase-apply/applying", "an am", "git am --continue", "git am --abort"},
  {"rebase-merge", "a rebase", "git -c core.editor=true rebase --continue",
   "git rebase --abort"},
  {"rebase-apply", "a rebase", "git -c core.editor=true rebase --continue",
   "git rebase --abort"},
  {"MERGE_HEAD", "a merge", "git -c core.editor=true merge --continue",
   "git merge --abort"},
  {"CHERRY_PICK_HEAD", "a cherry-pick", "git cherry-pick --continue",
   "git cherry-pick --abort"},
  {"REVERT_HEAD", "a revert", "git revert --continue", "git revert --abort"},
  {"BISECT_START", "a bisect", "git bisect reset", "git bisect reset"},
};

std::string sentence_for(const operation& one) {
  std::string sentence = one.name;
  sentence += " is under way in the session: finish it with `";
  sentence += one.finish;
  if (std::string_view{one.drop} != one.finish)
    sentence += std::string{"` or drop it with `"} + one.drop;
  return sentence + "`, then check in again";
}

} // namespace

std::optional<std::string> operation_at(const repo::facts& at) {
  for (const auto& one : operations) {
    std::error_code none;
    if (std::filesystem::exists(at.dir / one.mark, none))
      return sentence_for(one);
  }
  // Between two of several picks or reverts only their list is there.
  if (auto list = read_file(at.dir / "sequencer/todo"))
    return sentence_for(operations[list->starts_with("revert") ? 5 : 4]);
  return std::nullopt;
}

void refuse_operation(const repo::facts& at) {
  if (auto sentence = operation_at(at))
    throw operation_fault{*sentence};
}

} // namespace greenroom::git
