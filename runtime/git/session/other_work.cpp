#include "runtime/git/session/other_work.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/git/common/refs.hpp"
#include "runtime/git/mirror/git_process.hpp"
#include "runtime/git/mirror/handles.hpp"
#include "runtime/git/mirror/lfs_store.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr const char* search_failure =
  "cannot restore the session's references";

// Where a name of named_object belongs below refs/; nullopt: nowhere.
std::optional<std::string> place_of(std::string_view name) {
  constexpr std::string_view other = "other/";
  auto rest = name.substr(std::min(name.find('/') + 1, name.size()));
  if (rest.empty() || name_fault(rest))
    return std::nullopt;
  for (std::string_view kind : {"heads/", "tags/", "notes/"})
    if (name.starts_with(kind))
      return std::string{name};
  if (!name.starts_with(other) || rest == "stash")
    return std::nullopt;
  for (std::string_view taken : {"heads/", "tags/", "notes/", "remotes/",
                                 "bisect/", "rewritten/", "worktree/"})
    if (rest.starts_with(taken))
      return std::nullopt;
  return std::string{rest};
}

// `stash` is the newest, `stash-1` the one before.
std::optional<std::size_t> place_among_stashes(std::string_view name) {
  constexpr std::string_view mark = "stash-";
  if (name == "stash")
    return 0;
  if (!name.starts_with(mark))
    return std::nullopt;
  std::size_t result = 0;
  const auto* end = name.data() + name.size();
  auto read = std::from_chars(name.data() + mark.size(), end, result);
  if (read.ec != std::errc{} || read.ptr != end)
    return std::nullopt;
  return result;
}

bool point(git_repository* repo, const std::string& name, const git_oid& id,
           const char* why) {
  reference_handle made;
  return git_reference_create(receive(made), repo, ("refs/" + name).c_str(),
                              &id, 1, why)
         == 0;
}

// One that the upstream has got since may stand in the way of its name.
void write_ref(git_repository* repo, const other_work& work,
               const std::string& name, const std::string& object) {
  constexpr const char* why = "greenroom: restored from a checkpoint";
  auto id = to_oid(object);
  if (!point(repo, name, id, why) && !point(repo, work.aside + name, id, why)
      && !point(repo, work.aside + "odd/" + object, id, why))
    check(GIT_ERROR, search_failure);
}

// Their log is the list of them, and says of each what the stash says.
void write_stashes(git_repository* repo,
                   const std::vector<std::string>& stashes) {
  if (stashes.empty())
    return;
  check(git_reference_ensure_log(repo, "refs/stash"), search_failure);
  for (const auto& one : stashes) {
    auto id = to_oid(one);
    commit_handle commit;
    check(git_commit_lookup(receive(commit), repo, &id), search_failure);
    const auto* summary = git_commit_summary(commit.get());
    if (!point(repo, "stash", id, summary == nullptr ? "" : summary))
      check(GIT_ERROR, search_failure);
  }
}

void write_contents(const fs::path& mirror, const std::string& object,
                    const fs::path& to) {
  fs::create_directories(to.parent_path());
  unique_fd file{
    ::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
  if (!file)
    throw std::system_error(errno, std::generic_category(),
                            "cannot write " + to.string());
  server_git call{mirror, {"cat-file", "blob", object}};
  call.stdout_fd = file.get();
  if (auto result = run(call); !result.ok())
    throw std::runtime_error("cannot restore contents of Git LFS: "
                             + reason(result));
}

// As git-lfs lays them out.
void write_lfs(git_repository* repo, const fs::path& mirror,
               const std::string& commit) {
  auto id = to_oid(commit);
  commit_handle found;
  tree_handle tree;
  check(git_commit_lookup(receive(found), repo, &id), search_failure);
  check(git_commit_tree(receive(tree), found.get()), search_failure);
  auto objects = fs::path{git_repository_path(repo)} / "lfs/objects";
  for (std::size_t i = 0; i < git_tree_entrycount(tree.get()); ++i) {
    const auto* entry = git_tree_entry_byindex(tree.get(), i);
    std::string oid = git_tree_entry_name(entry);
    if (is_lfs_oid(oid) && git_tree_entry_type(entry) == GIT_OBJECT_BLOB)
      write_contents(mirror, to_hex(*git_tree_entry_id(entry)),
                     objects / oid.substr(0, 2) / oid.substr(2, 2) / oid);
  }
}

} // namespace

other_work
sort_out(const std::vector<std::pair<std::string, std::string>>& named,
         const std::string& from) {
  other_work result;
  result.aside = "restored/" + from.substr(0, 10) + '/';
  std::map<std::size_t, std::string, std::greater<>> stashes;
  for (const auto& [name, id] : named) {
    if (auto at = place_among_stashes(name))
      stashes.emplace(*at, id);
    else if (name == "lfs")
      result.lfs = id;
    else
      result.refs.emplace(place_of(name).value_or(result.aside + name), id);
  }
  for (auto& [at, id] : stashes)
    result.stashes.push_back(std::move(id));
  return result;
}

void write_others(const fs::path& checkout, const fs::path& mirror,
                  const other_work& work) {
  repository_handle repo;
  check(git_repository_open_ext(receive(repo), checkout.c_str(),
                                GIT_REPOSITORY_OPEN_NO_SEARCH, nullptr),
        search_failure);
  for (const auto& [name, id] : work.refs)
    write_ref(repo.get(), work, name, id);
  write_stashes(repo.get(), work.stashes);
  if (!work.lfs.empty())
    write_lfs(repo.get(), mirror, work.lfs);
}

} // namespace greenroom::git
