#include "actors/git_workers.hpp"

#include "actors/guard.hpp"
#include "runtime/git/endings.hpp"
#include "runtime/git/mirror.hpp"
#include "runtime/git/session_repo.hpp"

#include <spdlog/spdlog.h>

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

namespace greenroom {

namespace {

namespace fs = std::filesystem;
using clock = std::chrono::steady_clock;

// What the workers know together of one project's mirror.
struct mirror_entry {
  std::mutex opening; // held while the mirror is opened or made
  std::optional<git::mirror> mirror;
  std::mutex fetching; // held while the upstream is asked, which may be long
  std::optional<clock::time_point> fetched;
};

class mirrors {
public:
  explicit mirrors(fs::path data_dir) : data_dir_(std::move(data_dir)) {}

  /// The project's mirror as it is.
  git::mirror open(const project_record& project) {
    auto& entry = entry_of(project.id);
    std::lock_guard guard{entry.opening};
    if (!entry.mirror || entry.mirror->upstream() != project.repo)
      entry.mirror = git::mirror::open_or_create(
        data_dir_ / "repos" / (project.id + ".git"), project.repo);
    return *entry.mirror;
  }

  /// The same, brought up to date if it has not been just now, or if `force`.
  /// Throws refused(unavailable) where the upstream does not answer.
  git::mirror fetched(const project_record& project, bool force) {
    auto& entry = entry_of(project.id);
    auto mirror = open(project);
    std::lock_guard guard{entry.fetching};
    if (!force && entry.fetched && clock::now() - *entry.fetched < fetch_cache)
      return mirror;
    mirror.fetch();
    entry.fetched = clock::now();
    return mirror;
  }

  fs::path session_dir(const std::string& session_id) const {
    return data_dir_ / "sessions" / session_id;
  }

private:
  mirror_entry& entry_of(const std::string& project_id) {
    std::lock_guard guard{mutex_};
    auto& entry = entries_[project_id];
    if (!entry)
      entry = std::make_unique<mirror_entry>();
    return *entry;
  }

  fs::path data_dir_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<mirror_entry>> entries_;
};

using mirrors_ptr = std::shared_ptr<mirrors>;

// The commit that a session starts from. A name that is not there may be new
// in the upstream, so the upstream is asked before that is said.
resolved_branch resolve(mirrors& all, const resolve_branch& request) {
  auto& project = request.project;
  auto mirror = all.fetched(project, false);
  auto look = [&](bool fresh) -> std::optional<std::string> {
    if (fresh)
      mirror = all.fetched(project, true);
    if (!request.new_branch)
      return mirror.resolve_branch(request.branch);
    return mirror.resolve_ref(request.from_ref.empty() ? project.default_branch
                                                       : request.from_ref);
  };
  if (request.new_branch && mirror.resolve_branch(request.branch))
    throw refused(errc::branch_exists,
                  "branch \"" + request.branch
                    + "\" exists already; check it out with branch, or choose "
                      "another new_branch");
  auto found = look(false);
  if (!found)
    found = look(true);
  if (found)
    return {*found};
  // A repository without any commit has no default branch yet.
  if (request.new_branch && request.from_ref.empty()
      && mirror.upstream_refs().empty())
    return {};
  throw refused(errc::not_found, "branch not found");
}

git::session_place place_of(const mirrors& all, const git::mirror& mirror,
                            const session_record& session) {
  return {fs::absolute(all.session_dir(session.id) / "checkout"),
          fs::absolute(mirror.path())};
}

git::author author_of(const caller& by) {
  return {by.key_name.empty() ? by.key_id : by.key_name,
          by.key_id + "@greenroom.invalid"};
}

void check_out(mirrors& all, const greenroom::make_checkout& request) {
  auto mirror = all.open(request.project);
  fs::create_directories(all.session_dir(request.session.id));
  git::make_checkout({place_of(all, mirror, request.session),
                      request.session.branch, request.session.base_commit,
                      request.project.repo, mirror.upstream_refs()});
}

saved_checkin check_in(mirrors& all, const save_checkin& request) {
  auto& session = request.session;
  auto mirror = all.open(request.project);
  auto message = request.message.empty()
                   ? "Work of session " + session.id + " on " + session.branch
                   : request.message;
  auto result =
    git::checkin({mirror, place_of(all, mirror, session).checkout, session.id,
                  session.branch, session.base_commit, session.new_branch,
                  author_of(request.by), message});
  if (result.rescued.upstream_failure)
    spdlog::warn("session {}: rescued work is in the mirror only: {}",
                 session.id, *result.rescued.upstream_failure);
  return {result.commit};
}

saved_rescue rescue(mirrors& all, const save_rescue& request) {
  auto& session = request.session;
  auto mirror = all.open(request.project);
  auto checkout = place_of(all, mirror, session).checkout;
  if (!fs::exists(fs::symlink_status(checkout)))
    return {}; // it was never made, or is gone since its work was saved
  auto result = git::rescue(
    {mirror, checkout, session.id, {"Greenroom", "rescue@greenroom.invalid"}});
  if (result.upstream_failure)
    spdlog::warn("session {}: rescued work is in the mirror only: {}",
                 session.id, *result.upstream_failure);
  return {result.refs};
}

// What is taken away first gets another name, so that a crash half-way leaves
// nothing that could be mistaken for a checkout.
void remove(const mirrors& all, const remove_checkout& request) {
  auto dir = all.session_dir(request.session_id);
  auto doomed = dir / "checkout.removed";
  std::error_code absent;
  fs::rename(dir / "checkout", doomed, absent);
  fs::remove_all(doomed);
  fs::remove_all(dir / "checkout.partial"); // of one that was never finished
  fs::remove_all(dir / "home");
  fs::remove(dir / "runner.json");
  fs::remove(dir / "runner.sock");
}

git_actor::behavior_type worker(git_actor::pointer, const mirrors_ptr& all) {
  return {
    [all](const resolve_branch& x) {
      return guarded("looking up a branch", [&] { return resolve(*all, x); });
    },
    [all](const greenroom::make_checkout& x) {
      return guarded("making a checkout", [&] { check_out(*all, x); });
    },
    [all](const save_checkin& x) {
      return guarded("checking in", [&] { return check_in(*all, x); });
    },
    [all](const save_rescue& x) {
      return guarded("rescuing work", [&] { return rescue(*all, x); });
    },
    [all](const remove_checkout& x) {
      return guarded("removing a checkout", [&] { remove(*all, x); });
    },
  };
}

} // namespace

git_actor::behavior_type
git_workers(git_actor::stateful_pointer<worker_pool<git_actor>> self,
            fs::path data_dir, std::size_t workers, std::size_t queue) {
  auto all = std::make_shared<mirrors>(std::move(data_dir));
  auto& pool = self->state;
  pool.start(self, {workers, queue, "git-workers"},
             [self, all] { return self->spawn<caf::detached>(worker, all); });
  return {pool.handler<resolved_branch, resolve_branch>(),
          pool.handler<done, greenroom::make_checkout>(),
          pool.handler<saved_checkin, save_checkin>(),
          pool.handler<saved_rescue, save_rescue>(),
          pool.handler<done, remove_checkout>()};
}

} // namespace greenroom
