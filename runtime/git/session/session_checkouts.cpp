// The checkouts of sessions and reviews: made, restored, kept as checkpoints.
#include "runtime/git/session/git_service.hpp"

#include "messages/errors.hpp"
#include "runtime/base/files.hpp"
#include "runtime/base/remove_tree.hpp"
#include "runtime/git/mirror/merges.hpp"
#include "runtime/git/session/author_of.hpp"
#include "runtime/git/session/checkout.hpp"
#include "runtime/git/session/origin.hpp"
#include "runtime/sandbox/assets.hpp"

namespace greenroom {

namespace {

namespace fs = std::filesystem;

// Without a name git makes no commit; whoever works in the session may choose
// another.
void introduce(const fs::path& home, const caller& who,
               const std::string& proxy) {
  auto file = home / ".gitconfig";
  auto by = git::as_git_takes_it(author_of(who));
  write_file_atomic(file,
                    "[user]\n\tname = " + git::quoted_setting(by.name)
                      + "\n\temail = " + git::quoted_setting(by.email)
                      + "\n[core]\n\tgitProxy = " + git::quoted_setting(proxy)
                      + '\n' + git::lfs_settings(proxy),
                    0644, false);
}

} // namespace

git::sandboxed_git git_service::in_session(const session_record& session,
                                           const git::mirror& mirror) const {
  auto dir = session_dir(session.id);
  return {tools_, {session.id, dir, dir / "checkout", mirror.path()}};
}

std::optional<std::uint32_t> git_service::seen_owner() const {
  if (tools_.host->config.mode == sandbox_mode::none)
    return std::nullopt;
  return sandbox::user_id;
}

// As of commands, which count what they add to it.
git::tree_limits git_service::tree_bound() const {
  const auto& settings = tools_.host->config;
  if (settings.mode == sandbox_mode::none)
    return {};
  return {settings.files, settings.disk};
}

done git_service::run(const make_checkout& request) {
  make(request.project, request.session, open(request.project), {});
  return {};
}

void git_service::make(const project_record& project,
                       const session_record& session, const git::mirror& mirror,
                       const std::optional<git::checkpoint>& from) {
  auto dir = session_dir(session.id);
  fs::create_directories(dir);
  auto proxy = origin_proxy(tools_, dir);
  auto users = tools_.host->users;
  git::warm_checkouts::tree_ptr warm;
  if (!from && !session.base_commit.empty())
    warm = warm_.take(mirror, session.base_commit);
  auto owner = sandbox::settle(
    users.get(), dir,
    [&](const fs::path& home) {
      introduce(home, {session.created_by, session.created_by, session.author},
                proxy);
    },
    warm ? warm->owner : std::nullopt);
  git::checkout_spec spec{
    {dir / "checkout", mirror.path()},
    session.branch,
    session.base_commit,
    mirror.upstream_refs(),
    seen_owner(),
    {git::origin_url(project.repo), proxy, default_of(project, mirror)}};
  spec.owner = owner;
  spec.users = users;
  spec.limits = tree_bound();
  if (from) {
    spec.commit = from->tip;
    spec.work_tree = from->commit;
    spec.others = from->others;
  }
  spec.warm = std::move(warm);
  auto made = git::make_checkout(spec);
  sockets_.open(session.id);
  warm_.want(mirror, spec.origin.default_branch, made);
}

// This node may never have seen the project, and what it has seen of the
// session, if anything, is older than the checkpoint.
restored_checkout git_service::run(const restore_checkout& request) {
  const auto& session = request.session;
  auto mirror = fetched(request.project, false);
  auto found = git::fetch_checkpoint(mirror, session.id, session.branch);
  make(request.project, session, mirror, found);
  if (!found)
    return {};
  return {found->commit, found->saved_at * 1000};
}

done git_service::run(const save_checkpoint& request) {
  const auto& session = request.session;
  auto mirror = open(request.project);
  git::save_checkpoint(
    {mirror, in_session(session, mirror), session.branch, author_of(session)});
  return {};
}

done git_service::run(const drop_checkpoint& request) {
  git::drop_checkpoint(open(request.project), checked(request.session_id));
  return {};
}

done git_service::run(const install_checkout& request) {
  git::install_checkout(session_dir(request.session_id) / "checkout", true);
  return {};
}

// At first the pinned commit. Where the target has moved since, what would be
// merged is no longer what was looked at: then it is the merge itself.
std::string git_service::commit_to_review(const make_review_checkout& request,
                                          const git::mirror& mirror) const {
  const auto& review = request.review;
  if (review.attempt == 1)
    return review.commit;
  auto merged = git::prepare_merge({mirror,
                                    review.target,
                                    review.base,
                                    review.commit,
                                    {"Greenroom", "review@greenroom.invalid"},
                                    "Merge of review " + review.id + '\n'});
  if (merged.end == git::merge_end::conflict)
    throw refused(errc::conflict, "it conflicts with " + review.target);
  return merged.commit;
}

done git_service::run(const make_review_checkout& request) {
  const auto& review = request.review;
  auto mirror = open(request.project);
  auto dir = session_dir(review.id);
  fs::create_directories(dir);
  auto users = tools_.host->users;
  // A command that was cut short may have left it anyhow.
  sandbox::take_back(users.get(), {dir / "checkout"});
  remove_tree(dir / "checkout");
  auto proxy = origin_proxy(tools_, dir);
  git::checkout_spec spec{{dir / "checkout", mirror.path()},
                          review.branch,
                          commit_to_review(request, mirror),
                          mirror.upstream_refs(),
                          seen_owner(),
                          {git::origin_url(request.project.repo), proxy,
                           default_of(request.project, mirror)}};
  // As a session's: what its setup does there it does here.
  spec.owner = sandbox::settle(users.get(), dir, [&](const fs::path& home) {
    introduce(home, {review.created_by, review.by_name, review.by_author},
              proxy);
  });
  spec.users = users;
  spec.limits = tree_bound();
  git::make_checkout(spec);
  {
    std::lock_guard guard{mutex_};
    reviews_[review.id] = request.project;
  }
  sockets_.open(review.id);
  // After a power cut it is made anew.
  git::install_checkout(dir / "checkout", false);
  return {};
}

} // namespace greenroom
