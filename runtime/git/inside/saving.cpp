#include "runtime/git/inside/saving.hpp"

#include "runtime/git/common/stale_locks.hpp"
#include "runtime/git/inside/finding.hpp"
#include "runtime/git/inside/lfs.hpp"
#include "runtime/git/inside/mending.hpp"
#include "runtime/git/inside/nested_work.hpp"
#include "runtime/git/inside/operation.hpp"
#include "runtime/git/inside/staging.hpp"

#include <algorithm>
#include <future>
#include <optional>
#include <set>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

struct committed {
  std::vector<std::string> inside; // other repositories in the work tree
  bool whole = true;  // there is nothing that save_tree would take besides
  bool others = true; // there may be repositories that git ignores
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

// A rescue finds out by itself what cannot be saved for that.
void unlock_for(const repo::facts& at, bool checkin) {
  try {
    unlock(at);
  } catch (const checkout_fault&) {
    if (checkin)
      throw;
  }
}

// With a commit git puts back what `git merge --squash --autostash` has put
// aside. Where that does not fit any more it is in the stash as well.
void commit_put_back(const repo& in, const saving& what) {
  if (auto index = take_inventory(in); !index || !index->conflicts.empty())
    return;
  stage_all(in, stage_mode::commit);
  commit_staged(in, what.by, what.message);
}

committed commit_all(const repo& in, const repo::facts& at, const saving& what,
                     std::optional<inventory> index) {
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
  result.whole = index->overlooked.empty() && !staged.outside;
  result.others = staged.repositories;
  result.inside = std::move(index->gitlinks);
  result.inside.insert(result.inside.end(), staged.without_commit.begin(),
                       staged.without_commit.end());
  result.inside.insert(result.inside.end(), staged.embedded.begin(),
                       staged.embedded.end());
  std::error_code none;
  const auto puts_back = fs::exists(at.dir / "MERGE_AUTOSTASH", none);
  commit_staged(in, what.by, what.message);
  if (puts_back)
    commit_put_back(in, what);
  return result;
}

// Where the branch is there, and could not be saved.
void refuse_left(const named_work& found, const std::string& branch) {
  if (found.note && found.note->find(branch + ' ') != std::string::npos)
    throw checkout_fault{*found.note};
}

std::vector<std::string> tips_of(const std::vector<named_object>& objects,
                                 const std::optional<std::string>& tip) {
  std::set<std::string> tips;
  for (const auto& one : objects)
    tips.insert(one.id);
  if (tip)
    tips.insert(*tip);
  return {tips.begin(), tips.end()};
}

// Repositories inside have theirs.
void add_lfs(savings& to, const repo& in, const repo::facts& at,
             const fs::path& store, const saving& what) {
  auto own = to.named.objects;
  std::erase_if(
    own, [](const auto& one) { return one.name.starts_with("nested/"); });
  auto files = lfs_contents_of(in, store, tips_of(own, to.tip), what.upstream);
  if (auto contents = save_contents(in, at, files, what.by))
    to.named.objects.push_back({"lfs", *contents, lfs_contents});
}

// What fails of a rescue stays where it is, and holds nothing else up.
template <class F>
void guard(savings& to, const std::string& part, F&& save) {
  try {
    save();
  } catch (const std::exception& fault) {
    add_left(to.named, part, fault.what());
  }
}

// What is not committed. Answers the repositories that lie there.
std::vector<std::string> add_tree(savings& to, const repo& in,
                                  const repo::facts& at,
                                  const tree_saving& how) {
  constexpr const char* words = "what was not committed";
  staged_files found;
  try {
    if (auto tree = save_tree(in, at, how, found))
      to.named.objects.push_back({"tree", *tree, words});
  } catch (const std::exception& fault) {
    // Then without the index, and what the repository's configuration says.
    auto head = in.find({{"rev-parse", "-q", "--verify", "HEAD^{commit}"}});
    auto tree = save_files(
      in, in.top(), head ? std::vector{*head} : std::vector<std::string>{}, how,
      found);
    to.named.objects.push_back({"tree", tree, words});
    add_note(to.named, std::string{"all files are kept as they are, since "}
                         + fault.what());
  }
  add_remarks(to.named, found, how.mode);
  return std::move(found.embedded);
}

savings save_all(const checkout_paths& paths, const saving& what) {
  auto checkin = !what.branch.empty();
  if (!checkin && !what.beside)
    remove_odd_files(paths.checkout);
  auto in = repo::of(paths);
  // They only read, and git takes longer to start than to answer.
  std::future<std::string> storage =
    std::async(std::launch::async, [&] { return lfs_storage(in); });
  std::future<std::optional<inventory>> index;
  if (checkin)
    index = std::async(std::launch::async, [&] { return take_inventory(in); });
  auto at = in.look();
  savings result;
  const tree_saving how{what.by, what.rescue_message,
                        what.beside ? stage_mode::look : stage_mode::rescue};
  committed done;
  if (checkin)
    refuse_operation(at);
  if (!what.beside)
    unlock_for(at, checkin);
  auto name = std::string{branch_space} + what.branch;
  auto here = checkin && at.head == name;
  if (here)
    done = commit_all(in, at, what, index.get());
  if (checkin)
    result.named = named_commits(in, at);
  else
    guard(result, "branches and tags",
          [&] { result.named = named_commits(in, at); });
  for (const auto& one : result.named.objects)
    if (checkin && one.name == "heads/" + what.branch)
      result.tip = one.id;
  if (checkin && !result.tip)
    refuse_left(result.named, name);
  if (!here || !done.whole)
    guard(result, "what was not committed",
          [&] { done.inside = add_tree(result, in, at, how); });
  if (!what.own_only)
    guard(result, "repositories inside", [&] {
      add_others(result.named, in, at, done.inside, done.others, how);
    });
  guard(result, "contents of Git LFS", [&] {
    add_lfs(result, in, at, lfs_directory(at, storage.get()), what);
  });
  return result;
}

// What is wrong then has to do with what was left out, or comes beside it.
savings save_mended(const checkout_paths& paths, const saving& what,
                    const std::string& mended) {
  try {
    return save_all(paths, what);
  } catch (const checkout_fault& fault) {
    throw checkout_fault{std::string{fault.what()} + "; " + mended};
  }
}

} // namespace

// Who checks in can put right what is wrong, and while commands may be at work
// nothing is touched.
savings save_work(const checkout_paths& paths, const saving& what) {
  if (!what.branch.empty() || what.beside)
    return save_all(paths, what);
  savings result;
  std::optional<std::string> mended;
  try {
    result = save_all(paths, what);
    mended = mended_before(repo::of(paths));
  } catch (const checkout_fault&) {
    mended = mend_settings(repo::of(paths));
    if (!mended)
      throw;
    result = save_mended(paths, what, *mended);
  }
  if (mended)
    add_note(result.named, *mended);
  return result;
}

void pack_work(const checkout_paths& paths, const saving& what,
               const savings& made, int fd) {
  auto tips = tips_of(made.named.objects, made.tip);
  auto all_known = std::ranges::all_of(tips, [&](const auto& id) {
    return std::ranges::binary_search(what.known, id);
  });
  if (!all_known)
    write_pack(repo::of(paths), made.named, tips, what.known, fd);
}

bool drop_unpackable(const checkout_paths& paths, const saving& what,
                     savings& made) {
  auto tips = tips_of(made.named.objects, {});
  auto bad = unpackable(repo::of(paths), made.named, tips, what.known);
  std::vector<named_object> kept;
  for (auto& one : made.named.objects)
    if (auto found = bad.find(one.id); found == bad.end())
      kept.push_back(std::move(one));
    else
      add_left(made.named, one.name + ", " + one.holds + ',', found->second);
  made.named.objects = std::move(kept);
  return !bad.empty() && (!made.tip || !bad.contains(*made.tip));
}

} // namespace greenroom::git
