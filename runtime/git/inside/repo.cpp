#include "runtime/git/inside/repo.hpp"

#include "runtime/git/common/refs.hpp"
#include "runtime/git/common/signatures.hpp"
#include "runtime/git/common/stale_locks.hpp"
#include "runtime/git/inside/index_staging.hpp"
#include "runtime/git/inside/open.hpp"

#include <git2/sys/repository.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view branch_space = "refs/heads/";

// -- reading ------------------------------------------------------------------

std::optional<git_oid> commit_of(git_reference* ref) {
  object_handle commit;
  if (git_reference_peel(receive(commit), ref, GIT_OBJECT_COMMIT) != 0)
    return std::nullopt;
  return *git_object_id(commit.get());
}

reference_handle look_up(git_repository* repo, const std::string& name) {
  reference_handle ref;
  auto code = git_reference_lookup(receive(ref), repo, name.c_str());
  if (code != GIT_ENOTFOUND)
    check(code, "cannot read " + name + " of the session's repository");
  return ref;
}

// The commit that HEAD leads to; null where its branch has none yet.
commit_handle head_commit(git_repository* repo) {
  git_oid id;
  commit_handle commit;
  auto code = git_reference_name_to_id(&id, repo, "HEAD");
  if (code == GIT_ENOTFOUND)
    return commit;
  check(code, "cannot read HEAD of the session's repository");
  check(git_commit_lookup(receive(commit), repo, &id),
        "cannot read the commit at HEAD of the session's repository");
  return commit;
}

// True for the references that are the user's own work.
bool is_work(std::string_view ref) {
  return ref.starts_with(branch_space) || ref.starts_with("refs/tags/");
}

// What such a reference is called among named_commits. git takes names that
// we do not: then the commit is what counts.
std::string work_name(std::string_view ref, const std::string& commit) {
  auto name = ref.substr(ref.find('/') + 1);
  return name_fault(name.substr(name.find('/') + 1)) ? "odd/" + commit
                                                     : std::string{name};
}

// -- committing ---------------------------------------------------------------

// HEAD's commit and, while a merge is in progress, those being merged.
std::vector<commit_handle> parents_of(git_repository* repo,
                                      commit_handle head) {
  std::vector<commit_handle> result;
  if (!head)
    return result;
  result.push_back(std::move(head));
  std::vector<git_oid> merged;
  auto code = git_repository_mergehead_foreach(
    repo,
    [](const git_oid* id, void* out) {
      static_cast<std::vector<git_oid>*>(out)->push_back(*id);
      return 0;
    },
    &merged);
  if (code != GIT_ENOTFOUND)
    check(code, "cannot read the merge in progress");
  for (const auto& id : merged) {
    commit_handle commit;
    check(git_commit_lookup(receive(commit), repo, &id),
          "cannot read the merge in progress");
    result.push_back(std::move(commit));
  }
  return result;
}

// `ref` is moved to the new commit; null: none is.
git_oid commit(git_repository* repo, const char* ref, const git_oid& tree_id,
               const std::vector<commit_handle>& parents, const author& by,
               const std::string& message) {
  tree_handle tree;
  check(git_tree_lookup(receive(tree), repo, &tree_id), "cannot read a tree");
  auto signature = sign(by);
  std::vector<const git_commit*> raw;
  for (const auto& parent : parents)
    raw.push_back(parent.get());
  auto text = message.ends_with('\n') ? message : message + '\n';
  git_oid id;
  check(git_commit_create(&id, repo, ref, signature.get(), signature.get(),
                          nullptr, text.c_str(), tree.get(), raw.size(),
                          raw.data()),
        "cannot commit in the session's repository");
  return id;
}

git_oid write_tree(git_repository* repo, git_index* index) {
  git_oid tree;
  check(git_index_write_tree_to(&tree, index, repo),
        "cannot write the tree of the session's checkout");
  return tree;
}

void refuse_conflicts(git_index* index) {
  if (git_index_has_conflicts(index) == 0)
    return;
  std::string first;
  for (std::size_t i = 0; i < git_index_entrycount(index); ++i) {
    const auto* entry = git_index_get_byindex(index, i);
    if (git_index_entry_is_conflict(entry) != 0) {
      first = entry->path;
      break;
    }
  }
  throw checkout_fault{"a merge in the session has conflicts (`" + first
                       + "`): resolve and commit it, then try again"};
}

// The session's index, or where it cannot be read one made from HEAD.
index_handle readable_index(git_repository* repo, git_commit* head) {
  index_handle index;
  if (git_repository_index(receive(index), repo) == 0)
    return index;
  check(git_index_new(receive(index)), "cannot make an index");
  check(git_repository_set_index(repo, index.get()), "cannot make an index");
  if (head != nullptr) {
    tree_handle tree;
    check(git_commit_tree(receive(tree), head), "cannot read HEAD's tree");
    check(git_index_read_tree(index.get(), tree.get()),
          "cannot read HEAD's tree");
  }
  return index;
}

// nullopt: HEAD is detached.
std::optional<std::string> branch_at_head(git_repository* repo) {
  auto head = look_up(repo, "HEAD");
  const auto* target =
    head ? git_reference_symbolic_target(head.get()) : nullptr;
  if (target == nullptr || !std::string_view{target}.starts_with(branch_space))
    return std::nullopt;
  return target + branch_space.size();
}

} // namespace

checkout_status status(const session_place& place) {
  auto repo = open_session(place);
  checkout_status result;
  if (auto commit = head_commit(repo.get()))
    result.head = to_hex(*git_commit_id(commit.get()));
  result.branch = branch_at_head(repo.get());

  git_status_options options = GIT_STATUS_OPTIONS_INIT;
  options.flags = GIT_STATUS_OPT_INCLUDE_UNTRACKED
                  | GIT_STATUS_OPT_RECURSE_UNTRACKED_DIRS
                  | GIT_STATUS_OPT_EXCLUDE_SUBMODULES;
  status_handle list;
  check(git_status_list_new(receive(list), repo.get(), &options),
        "cannot read the status of the session's checkout");
  result.dirty_files = git_status_list_entrycount(list.get());
  return result;
}

bool is_checked_out(const session_place& place, std::string_view branch) {
  return branch_at_head(open_session(place).get()) == branch;
}

std::optional<std::string> branch_tip(const session_place& place,
                                      std::string_view branch) {
  auto repo = open_session(place);
  auto name = std::string{branch_space} + std::string{branch};
  auto ref = look_up(repo.get(), name);
  if (!ref)
    return std::nullopt;
  auto id = commit_of(ref.get());
  if (!id)
    throw checkout_fault{"branch \"" + std::string{branch}
                         + "\" of the session's repository leads "
                           "to no commit that can be read"};
  return to_hex(*id);
}

std::map<std::string, std::string> named_commits(const session_place& place) {
  auto repo = open_session(place);
  std::map<std::string, std::string> result;
  ref_iterator_handle all;
  check(git_reference_iterator_new(receive(all), repo.get()),
        "cannot list the session's branches");
  for (;;) {
    reference_handle ref;
    auto code = git_reference_next(receive(ref), all.get());
    if (code == GIT_ITEROVER)
      break;
    check(code, "cannot list the session's branches");
    std::string_view name = git_reference_name(ref.get());
    if (!is_work(name))
      continue;
    auto id = commit_of(ref.get());
    // A tag may be of something else; a branch may not.
    if (!id && name.starts_with(branch_space))
      throw checkout_fault{"the session's branch \""
                           + std::string{name.substr(branch_space.size())}
                           + "\" leads to no commit that can be read"};
    if (id)
      result.emplace(work_name(name, to_hex(*id)), to_hex(*id));
  }
  auto code = git_stash_foreach(
    repo.get(),
    [](size_t number, const char*, const git_oid* id, void* out) {
      auto name = number == 0 ? "stash" : "stash-" + std::to_string(number);
      static_cast<std::map<std::string, std::string>*>(out)->emplace(
        std::move(name), to_hex(*id));
      return 0;
    },
    &result);
  if (code != GIT_ENOTFOUND)
    check(code, "cannot list the session's stashes");
  if (git_repository_head_detached(repo.get()) == 1)
    result.emplace("detached",
                   to_hex(*git_commit_id(head_commit(repo.get()).get())));
  return result;
}

commit_result commit_all(const session_place& place, const author& by,
                         const std::string& message) {
  auto repo = open_session(place);
  remove_all_locks(git_repository_path(repo.get()));
  index_handle index;
  check(git_repository_index(receive(index), repo.get()),
        "cannot read the index of the session's repository");
  refuse_conflicts(index.get());
  auto whole = stage_all(repo.get(), index.get(), stage_mode::commit);
  auto tree = write_tree(repo.get(), index.get());
  auto parents = parents_of(repo.get(), head_commit(repo.get()));
  if (parents.empty() && git_index_entrycount(index.get()) == 0)
    return {};
  if (parents.size() == 1
      && git_oid_equal(git_commit_tree_id(parents[0].get()), &tree) != 0)
    return {to_hex(*git_commit_id(parents[0].get())), false, whole};

  // The index first: should we end in between, the next call commits it.
  check(git_index_write(index.get()),
        "cannot write the index of the session's repository");
  auto id = commit(repo.get(), "HEAD", tree, parents, by, message);
  if (git_repository_state(repo.get()) != GIT_REPOSITORY_STATE_NONE)
    check(git_repository_state_cleanup(repo.get()),
          "cannot conclude the merge in progress");
  return {to_hex(id), true, whole};
}

std::optional<std::string> save_tree(const session_place& place,
                                     const author& by,
                                     const std::string& message) {
  auto repo = open_session(place);
  auto head = head_commit(repo.get());
  auto index = readable_index(repo.get(), head.get());
  stage_all(repo.get(), index.get(), stage_mode::rescue);
  auto tree = write_tree(repo.get(), index.get());
  if (head ? git_oid_equal(git_commit_tree_id(head.get()), &tree) != 0
           : git_index_entrycount(index.get()) == 0)
    return std::nullopt;
  auto parents = parents_of(repo.get(), std::move(head));
  return to_hex(commit(repo.get(), nullptr, tree, parents, by, message));
}

std::size_t write_pack(const session_place& place,
                       const std::vector<std::string>& tips,
                       const std::vector<std::string>& known, int fd) {
  auto repo = open_session(place);
  revwalk_handle walk;
  check(git_revwalk_new(receive(walk), repo.get()), "cannot walk the history");
  for (const auto& tip : tips) {
    auto id = to_oid(tip);
    check(git_revwalk_push(walk.get(), &id),
          "cannot read a commit of the session");
  }
  for (const auto& commit : known) {
    auto id = to_oid(commit);
    check(git_revwalk_hide(walk.get(), &id), "cannot read a mirror's commit");
  }
  pack_handle pack;
  check(git_packbuilder_new(receive(pack), repo.get()), "cannot make a pack");
  check(git_packbuilder_insert_walk(pack.get(), walk.get()),
        "cannot read the session's objects");
  auto count = git_packbuilder_object_count(pack.get());
  if (count == 0)
    return 0;
  auto code = git_packbuilder_foreach(
    pack.get(),
    [](void* data, size_t size, void* target) {
      const auto* bytes = static_cast<const char*>(data);
      while (size > 0) {
        auto done = ::write(*static_cast<int*>(target), bytes, size);
        if (done < 0 && errno != EINTR)
          return -1;
        bytes += std::max<ssize_t>(done, 0);
        size -= static_cast<std::size_t>(std::max<ssize_t>(done, 0));
      }
      return 0;
    },
    &fd);
  check(code, "cannot write the session's objects");
  return count;
}

} // namespace greenroom::git
