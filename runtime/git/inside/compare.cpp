#include "runtime/git/inside/compare.hpp"

#include "runtime/git/inside/open.hpp"

#include <git2/sys/mempack.h>
#include <git2/sys/odb_backend.h>

namespace greenroom::git {

namespace {

// What is written from now on stays in memory.
void write_nothing(git_repository* repo) {
  odb_handle objects;
  git_odb_backend* memory = nullptr;
  check(git_repository_odb(receive(objects), repo),
        "cannot open the session's objects");
  check(git_mempack_new(&memory), "cannot keep objects in memory");
  if (auto code = git_odb_add_backend(objects.get(), memory, 999); code < 0) {
    memory->free(memory);
    check(code, "cannot keep objects in memory");
  }
}

} // namespace

divergence compare_head(const session_place& place, const std::string& commit) {
  auto repo = open_session(place);
  git_oid head;
  check(git_reference_name_to_id(&head, repo.get(), "HEAD"),
        "cannot read HEAD of the session's repository");
  auto other = to_oid(commit);
  divergence result;
  check(git_graph_ahead_behind(&result.ahead, &result.behind, repo.get(), &head,
                               &other),
        "cannot compare HEAD with the upstream");
  return result;
}

std::string diff_work(const session_place& place, const std::string& commit) {
  auto repo = open_session(place);
  auto tree = tree_at(repo.get(), commit);
  auto options = diff_settings();
  options.flags = GIT_DIFF_INCLUDE_UNTRACKED | GIT_DIFF_RECURSE_UNTRACKED_DIRS
                  | GIT_DIFF_SHOW_UNTRACKED_CONTENT;
  diff_handle diff;
  check(git_diff_tree_to_workdir_with_index(receive(diff), repo.get(),
                                            tree.get(), &options),
        "cannot compare the session's checkout with its base");
  return print(diff.get());
}

merge_preview preview_merge(const session_place& place,
                            const std::string& branch,
                            const std::string& target) {
  merge_preview result;
  auto tip = branch_tip(place, branch);
  if (!tip)
    return result;
  result.commit = *tip;
  auto repo = open_session(place);
  write_nothing(repo.get());
  auto from = to_oid(*tip);
  auto into = to_oid(target);
  result.kind = compare(repo.get(), into, from);
  if (result.kind == merge_kind::merge)
    result.conflicts = merge_trees(repo.get(), into, from).conflicts;
  return result;
}

} // namespace greenroom::git
