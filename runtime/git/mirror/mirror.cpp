#include "runtime/git/mirror/mirror.hpp"

#include "messages/errors.hpp"
#include "runtime/base/memfd.hpp"
#include "runtime/base/remove_tree.hpp"
#include "runtime/git/common/refs.hpp"
#include "runtime/git/common/stale_locks.hpp"
#include "runtime/git/mirror/git_process.hpp"
#include "runtime/git/mirror/handles.hpp"
#include "runtime/git/mirror/objects.hpp"
#include "runtime/git/mirror/quarantine.hpp"
#include "runtime/git/mirror/question_limits.hpp"
#include "runtime/git/mirror/stoppable_git.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <sstream>
#include <system_error>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view upstream_space = "refs/upstream/";
// Until a lock that another fetch has is asked for again, by who may have to
// stop meanwhile.
constexpr int try_lock_again = 20; // milliseconds

constexpr const char* upstream_head = "refs/upstream/HEAD";

void set_up(git_repository* repo) {
  config_handle config;
  check(git_repository_config(receive(config), repo), "cannot set up a mirror");
  auto set = [&](const char* key, const char* value) {
    check(git_config_set_string(config.get(), key, value),
          "cannot set up a mirror");
  };
  // Sessions borrow objects that no reference here may lead to.
  set("gc.auto", "0");
  set("gc.pruneExpire", "never");
  set("maintenance.auto", "false");
  set("core.hooksPath", "/dev/null");
  // git fsyncs packs, but not single objects.
  set("transfer.unpackLimit", "1");
  // Old in git, but what makes libgit2 fsync references, in this repository
  // only: its switch for all of them would cost sessions a fsync per file.
  set("core.fsyncObjectFiles", "true");
}

void create(const fs::path& path) {
  auto partial = path;
  partial += ".partial";
  fs::remove_all(partial);
  {
    git_repository_init_options options = GIT_REPOSITORY_INIT_OPTIONS_INIT;
    options.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKPATH
                    | GIT_REPOSITORY_INIT_NO_REINIT;
    repository_handle repo;
    check(git_repository_init_ext(receive(repo), partial.c_str(), &options),
          "cannot make the mirror " + path.string());
    set_up(repo.get());
  }
  fs::remove_all(partial / "hooks");
  fs::create_directory(partial / "hooks");
  fs::rename(partial, path);
  sync_directory(path.parent_path());
}

// The commit that an object is or stands for, if any. libgit2 reads fewer
// commits than git does, and this one need not be read.
std::optional<std::string> commit_of(git_repository* repo, const git_oid& id) {
  auto commit = peel_to_commit(repo, id);
  return commit ? std::optional{to_hex(*commit)} : std::nullopt;
}

std::optional<std::string> commit_at(git_repository* repo,
                                     const std::string& ref) {
  reference_handle found;
  auto code = git_reference_lookup(receive(found), repo, ref.c_str());
  if (code == GIT_ENOTFOUND || code == GIT_EINVALIDSPEC)
    return std::nullopt;
  check(code, "cannot read " + ref);
  reference_handle direct;
  check(git_reference_resolve(receive(direct), found.get()),
        "cannot read " + ref);
  return commit_of(repo, *git_reference_target(direct.get()));
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')
           || (c >= 'A' && c <= 'F');
  });
}

std::optional<std::string> commit_by_id(git_repository* repo,
                                        std::string_view text) {
  if (text.size() < 7 || text.size() > GIT_OID_HEXSZ || !is_hex(text))
    return std::nullopt;
  git_oid id;
  check(git_oid_fromstrn(&id, text.data(), text.size()), "cannot read an id");
  odb_handle objects;
  check(git_repository_odb(receive(objects), repo), "cannot open the objects");
  git_oid found;
  auto code = git_odb_exists_prefix(&found, objects.get(), &id, text.size());
  if (code == GIT_ENOTFOUND)
    return std::nullopt;
  if (code == GIT_EAMBIGUOUS)
    throw refused{errc::bad_request, "more than one object has an id that "
                                     "starts with "
                                       + std::string{text}
                                       + ", give more digits"};
  check(code, "cannot read " + std::string{text});
  return commit_of(repo, found);
}

template <class F>
void for_each_ref(git_repository* repo, F&& visit) {
  ref_iterator_handle all;
  check(git_reference_iterator_new(receive(all), repo),
        "cannot list references");
  for (;;) {
    reference_handle ref;
    auto code = git_reference_next(receive(ref), all.get());
    if (code == GIT_ITEROVER)
      return;
    check(code, "cannot list references");
    visit(ref.get());
  }
}

// Points `name` to `id`. A reference that stands in the way goes.
void replace(git_repository* repo, const std::string& name, const git_oid& id,
             const char* why) {
  for_each_ref(repo, [&](git_reference* other) {
    if (std::string in_the_way = git_reference_name(other);
        are_beside(in_the_way, name))
      check(git_reference_delete(other), "cannot remove " + in_the_way);
  });
  reference_handle made;
  check(git_reference_create(receive(made), repo, name.c_str(), &id, 1, why),
        "cannot write " + name);
}

// Of the commits, and those before them, what none of the tips has.
std::vector<std::string> not_behind(const fs::path& path,
                                    const std::vector<std::string>& tips,
                                    const std::set<std::string>& commits,
                                    int stop_fd) {
  std::string question;
  for (const auto& id : commits)
    question += id + '\n';
  for (const auto& id : tips)
    question += '^' + id + '\n';
  auto input = memfd(question);
  server_git list{path, {"rev-list", "--stdin"}};
  list.stdin_fd = input.get();
  list.max_output = std::size_t{64} << 20;
  const auto told = run_until(list, stop_fd);
  if (!told)
    give_way();
  if (!told->ok() || told->truncated)
    throw refused{errc::unavailable,
                  "cannot tell which commits the upstream has: "
                    + (told->truncated ? "they are too many" : reason(*told))};
  std::vector<std::string> result;
  std::istringstream lines{told->out};
  for (std::string line; std::getline(lines, line);)
    result.push_back(line);
  return result;
}

} // namespace

mirror mirror::open_or_create(fs::path path, std::string upstream,
                              std::shared_ptr<const credentials> keys) {
  if (auto fault = upstream_fault(upstream))
    throw refused{errc::bad_request, "the project's repo " + *fault};
  start_library();
  // Sessions name it when they borrow: one spelling for all times.
  path = fs::weakly_canonical(path);
  if (!fs::exists(path))
    create(path);
  open_mirror(path);
  quarantine::remove_leftovers(path);
  remove_ref_locks(path, "refs");
  for (auto cut_short : {"incoming", "lfs/incomplete", "lfs/tmp"})
    remove_tree(path / "lfs.git" / cut_short);
  return mirror{std::move(path), std::make_shared<upstream_client>(
                                   std::move(upstream), std::move(keys))};
}

void mirror::record_head(std::string_view branch) const {
  auto repo = open_mirror(path_);
  auto target = std::string{upstream_space} + "heads/" + std::string{branch};
  reference_handle made;
  check(git_reference_symbolic_create(receive(made), repo.get(), upstream_head,
                                      target.c_str(), 1, "greenroom: head"),
        "cannot write the upstream's HEAD");
}

std::string mirror::default_branch() const {
  auto repo = open_mirror(path_);
  const auto space = std::string{upstream_space} + "heads/";
  reference_handle head;
  auto code = git_reference_lookup(receive(head), repo.get(), upstream_head);
  if (code != GIT_ENOTFOUND)
    check(code, "cannot read the upstream's HEAD");
  if (code == 0)
    if (const auto* target = git_reference_symbolic_target(head.get()))
      return std::string{target}.substr(space.size());
  for (const auto* usual : {"main", "master"})
    if (commit_at(repo.get(), space + usual))
      return usual;
  std::vector<std::string> all;
  for (const auto& [name, id] : upstream_refs())
    if (name.starts_with("heads/"))
      all.push_back(name.substr(6));
  return all.size() == 1 ? all.front() : "main";
}

std::optional<std::string> mirror::resolve_branch(std::string_view name) const {
  return ref("refs/upstream/heads/" + std::string{name});
}

std::optional<std::string> mirror::resolve_ref(std::string_view name) const {
  constexpr std::string_view full = "refs/";
  if (name.starts_with(full)) {
    auto repo = open_mirror(path_);
    auto rest = name.substr(full.size());
    for (std::string_view space :
         {upstream_space, std::string_view{"refs/greenroom/asked/"}, full})
      if (space != full || rest.starts_with("greenroom/rescue/"))
        if (auto found =
              commit_at(repo.get(), std::string{space} + std::string{rest}))
          return found;
  }
  return resolve_short(name);
}

std::optional<std::string> mirror::resolve_short(std::string_view name) const {
  constexpr std::string_view remote = "origin/";
  auto repo = open_mirror(path_);
  if (name.size() == GIT_OID_HEXSZ && is_hex(name))
    return commit_by_id(repo.get(), name);
  for (const auto* kind : {"heads/", "tags/"})
    if (auto found = commit_at(repo.get(), std::string{upstream_space} + kind
                                             + std::string{name}))
      return found;
  if (name.starts_with(remote))
    if (auto found =
          commit_at(repo.get(), std::string{upstream_space} + "heads/"
                                  + std::string{name.substr(remote.size())}))
      return found;
  for (std::string_view kind : {"heads/", "tags/"})
    if (name.starts_with(kind))
      if (auto found = commit_at(repo.get(), std::string{upstream_space}
                                               + std::string{name}))
        return found;
  return commit_by_id(repo.get(), name);
}

std::optional<std::string> mirror::ref(const std::string& name) const {
  return commit_at(open_mirror(path_).get(), name);
}

std::map<std::string, std::string> mirror::upstream_refs() const {
  std::map<std::string, std::string> result;
  for (auto& [name, id] : refs_below(upstream_space))
    result.emplace(name.substr(upstream_space.size()), id);
  return result;
}

std::map<std::string, std::string>
mirror::refs_below(std::string_view space) const {
  std::map<std::string, std::string> result;
  auto repo = open_mirror(path_);
  for_each_ref(repo.get(), [&](git_reference* ref) {
    std::string_view name = git_reference_name(ref);
    const auto* target = git_reference_target(ref);
    if (name.starts_with(space) && target != nullptr)
      result.emplace(name, to_hex(*target));
  });
  return result;
}

std::map<std::string, std::string> mirror::asked_refs() const {
  constexpr std::string_view asked = "refs/greenroom/asked/";
  std::map<std::string, std::string> result;
  auto repo = open_mirror(path_);
  for_each_ref(repo.get(), [&](git_reference* ref) {
    std::string_view name = git_reference_name(ref);
    const auto* target = git_reference_target(ref);
    if (!name.starts_with(asked) || target == nullptr)
      return;
    name.remove_prefix(asked.size());
    // Ours, and what the mirror has under names of its own.
    for (std::string_view other : {"greenroom/", "heads/", "tags/"})
      if (name.starts_with(other))
        return;
    result.emplace(name, to_hex(*target));
  });
  return result;
}

std::vector<std::string> mirror::tips() const {
  std::vector<std::string> result;
  auto repo = open_mirror(path_);
  for_each_ref(repo.get(), [&](git_reference* ref) {
    reference_handle direct;
    if (git_reference_resolve(receive(direct), ref) != 0)
      return;
    try {
      if (auto id = commit_of(repo.get(), *git_reference_target(direct.get())))
        result.push_back(std::move(*id));
    } catch (const git_failure&) {
      // One that cannot be read leads nobody on.
    }
  });
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

std::vector<std::string> mirror::upstream_tips() const {
  std::set<std::string> result;
  for (const auto& [name, id] : upstream_refs())
    result.insert(id);
  return {result.begin(), result.end()};
}

bool mirror::is_ancestor(std::string_view ancestor,
                         std::string_view commit) const {
  auto repo = open_mirror(path_);
  auto before = to_oid(ancestor);
  auto after = to_oid(commit);
  for (const auto* id : {&before, &after})
    if (type_of(repo.get(), *id) != GIT_OBJECT_COMMIT)
      return false;
  if (ancestor == commit)
    return true;
  auto code = git_graph_descendant_of(repo.get(), &after, &before);
  check(code, "cannot compare two commits");
  return code == 1;
}

std::set<std::string>
mirror::reached_from(const std::vector<std::string>& tips,
                     const std::vector<std::string>& commits) const {
  auto repo = open_mirror(path_);
  std::set<std::string> result;
  for (const auto& one : commits) {
    if (type_of(repo.get(), to_oid(one)) == GIT_OBJECT_COMMIT)
      result.insert(one);
  }
  if (result.empty() || tips.empty())
    return {};
  // A tip is reached by itself, which mostly is all that is asked.
  auto unsure = result;
  for (const auto& tip : tips)
    unsure.erase(tip);
  if (unsure.empty())
    return result;
  for (const auto& id : not_behind(path_, tips, unsure, stop_fd_))
    result.erase(id);
  return result;
}

void mirror::set_ref(const std::string& name, const std::string& commit) const {
  auto repo = open_mirror(path_);
  auto id = to_oid(commit);
  reference_handle made;
  check(git_reference_create(receive(made), repo.get(), name.c_str(), &id, 1,
                             "greenroom: set"),
        "cannot write " + name);
}

void mirror::replace_ref(const std::string& name,
                         const std::string& commit) const {
  constexpr const char* why = "greenroom: set";
  auto repo = open_mirror(path_);
  auto id = to_oid(commit);
  reference_handle made;
  if (git_reference_create(receive(made), repo.get(), name.c_str(), &id, 1, why)
      != 0)
    replace(repo.get(), name, id, why);
}

void mirror::forget_ref(const std::string& name) const {
  auto repo = open_mirror(path_);
  if (auto code = git_reference_remove(repo.get(), name.c_str());
      code != GIT_ENOTFOUND)
    check(code, "cannot remove " + name);
}

void mirror::record_pushed(std::string_view branch,
                           const std::string& commit) const {
  auto held = hold_upstream_refs();
  if (!held)
    return; // the next fetch finds it
  auto repo = open_mirror(path_);
  auto id = to_oid(commit);
  for (const auto* space : {"refs/upstream/heads/", "refs/heads/"})
    replace(repo.get(), space + std::string{branch}, id, "greenroom: push");
}

unique_fd mirror::hold_upstream_refs() const {
  unique_fd held{::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  const auto how = LOCK_EX | (stop_fd_ >= 0 ? LOCK_NB : 0);
  while (!held || ::flock(held.get(), how) != 0) {
    if (held && errno == EWOULDBLOCK) {
      pollfd stop{stop_fd_, POLLIN, 0};
      if (::poll(&stop, 1, try_lock_again) > 0)
        return {};
    } else if (!held || errno != EINTR) {
      throw std::system_error(errno, std::generic_category(),
                              "cannot lock " + path_.string());
    }
  }
  remove_ref_locks(path_, "refs/upstream");
  return held;
}

} // namespace greenroom::git
