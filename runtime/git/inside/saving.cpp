#include "runtime/git/inside/saving.hpp"

#include "runtime/git/common/stale_locks.hpp"
#include "runtime/git/inside/lfs.hpp"
#include "runtime/git/inside/operation.hpp"
#include "runtime/git/inside/staging.hpp"

#include <algorithm>
#include <set>

namespace greenroom::git {

namespace {

struct committed {
  std::vector<std::string> inside; // other repositories in the work tree
  bool whole = true; // there is nothing that save_tree would take besides
};

void refuse_conflicts(const inventory& index) {
  if (!index.conflicts.empty())
    throw checkout_fault{"files in the session are in conflict (`"
                         + index.conflicts.front()
                         + "`): resolve and add them, then try again"};
}

void unlock(const repo::facts& at) {
  try {
    remove_all_locks(at.common);
    if (at.dir != at.common)
      remove_all_locks(at.dir);
  } catch (const std::filesystem::filesystem_error& error) {
    throw checkout_fault{std::string{"the session's repository cannot be "
                                     "written: "}
                         + error.code().message()};
  }
}

committed commit_all(const repo& in, const repo::facts& at,
                     const saving& what) {
  auto index = take_inventory(in);
  if (!index) {
    replace_index(in, at);
    index = take_inventory(in);
  }
  if (!index)
    throw checkout_fault{"the index of the session's repository cannot be "
                         "read, nor made anew from HEAD"};
  refuse_conflicts(*index);
  committed result;
  auto staged = stage_all(in, stage_mode::commit);
  result.whole = index->overlooked.empty();
  result.inside = std::move(index->gitlinks);
  result.inside.insert(result.inside.end(), staged.without_commit.begin(),
                       staged.without_commit.end());
  result.inside.insert(result.inside.end(), staged.embedded.begin(),
                       staged.embedded.end());
  commit_staged(in, what.by, what.message);
  return result;
}

std::vector<std::string> tips_of(const savings& made) {
  std::set<std::string> tips;
  for (const auto& one : made.named.objects)
    tips.insert(one.id);
  if (made.tip)
    tips.insert(*made.tip);
  return {tips.begin(), tips.end()};
}

void add_lfs(savings& to, const repo& in, const repo::facts& at,
             const saving& what) {
  auto files = lfs_files(in, at, tips_of(to), what.known);
  if (files.empty())
    return;
  if (to.tip)
    to.lfs = lfs_files(in, at, {*to.tip}, what.known);
  if (auto contents = save_contents(in, at, files, what.by))
    to.named.objects.push_back({"lfs", *contents,
                                "contents of files that Git LFS keeps, each "
                                "under its SHA-256"});
}

} // namespace

savings save_work(const checkout_paths& paths, const saving& what) {
  auto in = repo::of(paths);
  auto at = in.look();
  savings result;
  const tree_saving how{what.by, what.rescue_message,
                        what.beside ? stage_mode::look : stage_mode::rescue};
  committed done;
  auto checkin = !what.branch.empty();
  if (checkin)
    refuse_operation(at);
  if (!what.beside)
    unlock(at);
  auto name = std::string{branch_space} + what.branch;
  auto here = checkin && at.head == name;
  if (here)
    done = commit_all(in, at, what);
  result.named = named_commits(in, at);
  for (const auto& one : result.named.objects)
    if (checkin && one.name == "heads/" + what.branch)
      result.tip = one.id;
  if (!here || !done.whole) {
    staged_files found;
    if (auto tree = save_tree(in, at, how, found))
      result.named.objects.push_back({"tree", *tree, "what was not committed"});
    done.inside = std::move(found.embedded);
    name_left_out(result.named, found.left_out);
  }
  add_lfs(result, in, at, what);
  add_others(result.named, in, at, done.inside, how);
  return result;
}

void pack_work(const checkout_paths& paths, const saving& what,
               const savings& made, int fd) {
  auto tips = tips_of(made);
  auto all_known = std::ranges::all_of(tips, [&](const auto& id) {
    return std::ranges::binary_search(what.known, id);
  });
  if (!all_known)
    write_pack(repo::of(paths), made.named, tips, what.known, fd);
}

} // namespace greenroom::git
