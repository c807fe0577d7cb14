// The projects' mirrors: opened, brought up to date, read and merged in.
#include "runtime/git/session/git_service.hpp"

#include "messages/errors.hpp"
#include "runtime/base/hex.hpp"
#include "runtime/base/session_paths.hpp"
#include "runtime/git/common/refs.hpp"
#include "runtime/git/mirror/lfs_kept.hpp"
#include "runtime/git/mirror/merges.hpp"
#include "runtime/git/mirror/rescue_push.hpp"
#include "runtime/git/session/author_of.hpp"
#include "runtime/git/session/usual_modes.hpp"

#include <algorithm>

namespace greenroom {

namespace {

namespace fs = std::filesystem;

using clock = std::chrono::steady_clock;

// How often a merge that nobody has reviewed follows a target that moves.
constexpr int max_merges = 5;

// Mirrors that were made under a narrow mask, before sessions had users of
// their own. The top comes last, so that who is interrupted begins again.
void open_to_sessions(const fs::path& objects) {
  constexpr auto readable = fs::perms{0444};
  constexpr auto passable = fs::perms{0555};
  auto is_open = [](const fs::path& path) {
    return (fs::status(path).permissions() & passable) == passable;
  };
  if (!fs::exists(objects) || is_open(objects))
    return;
  for (const auto& entry : fs::recursive_directory_iterator{objects})
    fs::permissions(entry.path(), entry.is_directory() ? passable : readable,
                    fs::perm_options::add);
  fs::permissions(objects, passable, fs::perm_options::add);
}

} // namespace

git_service::git_service(git_settings settings)
  : data_dir_(std::move(settings.data_dir)), tools_(std::move(settings.tools)),
    credentials_(std::make_shared<const git::credentials>(
      std::move(settings.credentials))),
    lfs_calls_(std::make_shared<git::lfs_calls>()),
    lfs_space_(std::make_shared<git::lfs_space>(data_dir_ / "repos",
                                                settings.lfs_cache)),
    sockets_(sessions_dir(data_dir_)),
    warm_(std::move(settings.warm), {sessions_dir(data_dir_), seen_owner(),
                                     tools_.host->users, tree_bound()}) {}

std::string git_service::default_of(const project_record& project,
                                    const git::mirror& mirror) {
  return project.default_branch.empty() ? mirror.default_branch()
                                        : project.default_branch;
}

git_service::mirror_entry& git_service::entry_of(const std::string& mirror) {
  std::lock_guard guard{mutex_};
  auto& entry = entries_[mirror];
  if (!entry)
    entry = std::make_unique<mirror_entry>();
  return *entry;
}

// What lies there is the server's own, or sessions can write it: git would run
// their hooks as the server.
void git_service::refuse_own(const std::string& repo) const {
  if (!repo.starts_with('/') && !repo.starts_with("file:///"))
    return;
  auto path = fs::weakly_canonical(
    repo.starts_with('/') ? repo : repo.substr(std::string{"file://"}.size()));
  auto own = fs::weakly_canonical(data_dir_);
  auto [rest, unused] = std::ranges::mismatch(own, path);
  if (rest == own.end())
    throw refused(errc::bad_request,
                  "the project's repo lies in the server's data directory; "
                  "choose one outside of it");
}

fs::path git_service::mirror_path(const project_record& project) const {
  return mirror_dir(data_dir_, mirror_name(project));
}

// The project's mirror as it is.
git::mirror git_service::open(const project_record& project) {
  use_usual_modes();
  auto& entry = entry_of(mirror_name(project));
  std::lock_guard guard{entry.opening};
  if (!entry.mirror || entry.mirror->upstream() != project.repo) {
    refuse_own(project.repo);
    entry.mirror = git::mirror::open_or_create(mirror_path(project),
                                               project.repo, credentials_);
    if (tools_.host->users)
      open_to_sessions(entry.mirror->path() / "objects");
  }
  return *entry.mirror;
}

// The same, brought up to date if it has not been just now, or if `force`: then
// those who wait for their turn share what began after they had asked.
// `until_stop`: for who is ended by stop_lfs.
git::mirror git_service::fetched(const project_record& project, bool force,
                                 bool until_stop) {
  const auto asked = clock::now();
  auto& entry = entry_of(mirror_name(project));
  auto mirror = open(project);
  if (until_stop)
    mirror = mirror.until(lfs_calls_->stop_fd());
  const auto turn = lfs_calls_->only(mirror.path(), until_stop);
  if (entry.fetched
      && (force ? entry.fetch_began >= asked
                : clock::now() - *entry.fetched < fetch_cache))
    return mirror;
  const auto began = clock::now();
  mirror.fetch();
  // Where its HEAD is costs another talk, and changes seldom: unless the branch
  // is gone, as when it gets another name.
  if (!entry.head_fetched || clock::now() - *entry.head_fetched > head_cache
      || !mirror.resolve_branch(mirror.default_branch())) {
    mirror.fetch_head();
    entry.head_fetched = clock::now();
  }
  entry.fetched = clock::now();
  entry.fetch_began = began;
  return mirror;
}

// git keeps no branch below another one: "a" and "a/b" cannot both be.
void git_service::refuse_beside(const std::string& branch,
                                const git::mirror& mirror) {
  auto refs = mirror.upstream_refs();
  auto name = "heads/" + branch;
  std::string other;
  for (auto slash = name.find('/', 6); slash != name.npos && other.empty();
       slash = name.find('/', slash + 1))
    if (auto above = name.substr(0, slash); refs.contains(above))
      other = std::move(above);
  if (auto below = refs.lower_bound(name + '/');
      below != refs.end() && below->first.starts_with(name + '/'))
    other = below->first;
  if (!other.empty())
    throw refused(errc::branch_exists,
                  "new_branch \"" + branch + "\" cannot be beside branch \""
                    + other.substr(6) + "\"; choose another new_branch");
}

namespace {

// As git takes pull/7/head for refs/pull/7/head. The upstream is asked each
// time.
std::optional<std::string> resolve_below_refs(const git::mirror& mirror,
                                              const std::string& name) {
  const auto full = "refs/" + name;
  for (auto other : {"refs/", "heads/", "tags/", "greenroom/"})
    if (name.starts_with(other))
      return std::nullopt;
  if (name.find('/') == name.npos || git::ref_fault(full)
      || !mirror.fetch_ref(full))
    return std::nullopt;
  return mirror.resolve_ref(full);
}

} // namespace

// The commit that a session starts from. A name that is not there may be new
// in the upstream, so the upstream is asked before that is said.
resolved_branch git_service::run(const resolve_branch& request) {
  const auto& project = request.project;
  auto mirror = fetched(project, false);
  auto look = [&](bool fresh) -> std::optional<std::string> {
    if (fresh)
      mirror = fetched(project, true);
    if (!request.new_branch)
      return mirror.resolve_branch(request.branch);
    const auto& from = request.from_ref;
    if (from.empty())
      return mirror.resolve_branch(default_of(project, mirror));
    // What fetches do not bring is asked for by its name.
    auto is = [&](std::string_view space) { return from.starts_with(space); };
    auto here = is("refs/heads/") || is("refs/tags/")
                || (is(git::rescue_refs) && mirror.resolve_ref(from));
    if (is("refs/") && !here && !mirror.fetch_ref(from))
      return mirror.resolve_short(from);
    if (is(git::rescue_refs) && !here)
      git::fetch_rescued_lfs(mirror, from);
    return mirror.resolve_ref(from);
  };
  if (request.new_branch && mirror.resolve_branch(request.branch))
    throw refused(errc::branch_exists,
                  "branch \"" + request.branch
                    + "\" exists already; check it out with branch, or choose "
                      "another new_branch");
  if (request.new_branch)
    refuse_beside(request.branch, mirror);
  auto found = look(false);
  if (!found)
    found = look(true);
  if (!found && request.new_branch)
    found = resolve_below_refs(mirror, request.from_ref);
  // One that is at no branch or tag is not fetched with them.
  if (!found && request.new_branch && is_hex(request.from_ref, sha1_digits)
      && mirror.fetch_commit(request.from_ref))
    found = mirror.resolve_ref(request.from_ref);
  if (found)
    return {*found, default_of(project, mirror)};
  // A repository without any commit has no default branch yet.
  if (request.new_branch && request.from_ref.empty()
      && mirror.upstream_refs().empty())
    return {{}, default_of(project, mirror)};
  throw refused(errc::not_found, "branch not found");
}

found_target git_service::run(const find_target& request) {
  if (!request.target.empty())
    if (auto fault = git::name_fault(request.target))
      throw refused(errc::bad_request, "target " + *fault);
  // Who asks about a commit is about to merge it; else a look will do.
  auto mirror = fetched(request.project, !request.commit.empty());
  auto name = request.target.empty() ? default_of(request.project, mirror)
                                     : request.target;
  auto tip = mirror.resolve_branch(name);
  if (!tip)
    return {name, {}, false};
  return {name, *tip,
          !request.commit.empty() && mirror.is_ancestor(request.commit, *tip)};
}

merge_result git_service::run(const merge_review& request) {
  const auto& review = request.review;
  auto message = "Merge branch '" + review.branch + "' into " + review.target
                 + "\n\nReview: " + review.id + '\n';
  git::merge_spec spec{open(request.project), review.target,
                       review.base,           review.commit,
                       author_of(request.by), std::move(message)};
  auto merged = git::merge(spec);
  // What nobody has looked at goes wherever the target is now.
  for (int i = 0;
       i < max_merges && review.skipped && merged.end == git::merge_end::stale;
       ++i) {
    auto tip = spec.mirror.resolve_branch(spec.target);
    if (!tip)
      break; // it is gone
    spec.base = *tip;
    merged = git::merge(spec);
  }
  merge_result result;
  result.commit = std::move(merged.commit);
  result.files = std::move(merged.files);
  if (merged.end == git::merge_end::conflict)
    result.status = review_status::conflict;
  else if (merged.end == git::merge_end::stale)
    result.status = review_status::stale;
  return result;
}

git_answer git_service::run(const diff_commits& request) {
  const auto stop =
    questions_.watch(git::question_key(request.project.id, request.to));
  return {shared_text{git::diff_commits(open(request.project), request.from,
                                        request.to, stop->get())}};
}

upstream_refs git_service::run(const list_upstream& request) {
  try {
    return {fetched(request.project, true, true).upstream_refs()};
  } catch (const refused&) {
    return {open(request.project).upstream_refs()}; // as it was last seen
  }
}

} // namespace greenroom
