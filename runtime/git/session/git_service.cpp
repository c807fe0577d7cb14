#include "runtime/git/session/git_service.hpp"

#include "messages/errors.hpp"
#include "runtime/base/files.hpp"
#include "runtime/base/remove_tree.hpp"
#include "runtime/base/session_paths.hpp"
#include "runtime/git/common/refs.hpp"
#include "runtime/git/mirror/merges.hpp"
#include "runtime/git/mirror/unpushed.hpp"
#include "runtime/git/session/branch_position.hpp"
#include "runtime/git/session/checkin.hpp"
#include "runtime/git/session/checkout.hpp"
#include "runtime/git/session/origin.hpp"
#include "runtime/sandbox/assets.hpp"

#include <sched.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace greenroom {

namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds away_time{30};
constexpr std::chrono::minutes late_push_timeout{10};

using clock = std::chrono::steady_clock;
using nlohmann::ordered_json;

// `Name <mail>` where the key has one.
git::author author_of(const caller& by) {
  auto open = by.author.rfind('<');
  auto close = by.author.rfind('>');
  if (open != std::string::npos && close != std::string::npos && open < close) {
    auto name = by.author.substr(0, open);
    name.erase(name.find_last_not_of(' ') + 1);
    return {name, by.author.substr(open + 1, close - open - 1)};
  }
  return {by.key_name.empty() ? by.key_id : by.key_name,
          by.key_id + "@greenroom.invalid"};
}

// What the user has to know of rescued work; for the log too.
std::string note_of(const std::string& session_id,
                    const git::rescue_result& result) {
  std::string note;
  if (result.upstream_failure)
    note = "the rescue refs are in this node's mirror only, the upstream does "
           "not have them ("
           + *result.upstream_failure + "); they are pushed when it takes them";
  if (result.note)
    note += (note.empty() ? "" : "; ") + *result.note;
  if (!note.empty())
    spdlog::warn("session {}: {}", session_id, note);
  return note;
}

ordered_json or_null(const auto& value) {
  return value ? ordered_json(*value) : ordered_json();
}

std::string text_of(const ordered_json& object) {
  return object.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

const char* word_for(git::merge_answer answer) {
  switch (answer) {
    case git::merge_answer::clean:
      return "clean";
    case git::merge_answer::conflict:
      return "conflict";
    case git::merge_answer::up_to_date:
      return "up_to_date";
    case git::merge_answer::fast_forward:
      return "fast_forward";
  }
  return "";
}

// What a session is given, and the objects that it borrows, have the modes that
// programs expect, whatever mask the node has. Of this thread only, which is
// one that works for git: others' secrets have the node's.
void use_usual_modes() {
  if (::unshare(CLONE_FS) == 0)
    ::umask(022);
}

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

// Without a name git makes no commit; whoever works in the session may choose
// another.
void introduce(const fs::path& home, const session_record& session,
               const std::string& proxy) {
  auto file = home / ".gitconfig";
  auto by = git::as_git_takes_it(
    author_of({session.created_by, session.created_by, session.author}));
  write_file_atomic(file,
                    "[user]\n\tname = " + git::quoted_setting(by.name)
                      + "\n\temail = " + git::quoted_setting(by.email)
                      + "\n[core]\n\tgitProxy = " + git::quoted_setting(proxy)
                      + '\n' + git::lfs_settings(proxy),
                    0644, false);
}

void refuse_protected(const project_record& project, const std::string& branch,
                      const std::string& default_branch) {
  if (is_protected(project, branch, default_branch))
    throw refused(errc::conflict,
                  "branch \"" + branch
                    + "\" is protected now, it moves by reviewed merges only; "
                      "ask for its protection to be lifted, or have the "
                      "session ended, which keeps its work");
}

} // namespace

git_service::git_service(git_settings settings)
  : data_dir_(std::move(settings.data_dir)), tools_(std::move(settings.tools)),
    credentials_(std::make_shared<const git::credentials>(
      std::move(settings.credentials))),
    lfs_calls_(std::make_shared<git::lfs_calls>()),
    lfs_space_(std::make_shared<git::lfs_space>(data_dir_ / "repos",
                                                settings.lfs_cache)),
    sockets_(sessions_dir(data_dir_)) {}

std::string git_service::default_of(const project_record& project,
                                    const git::mirror& mirror) {
  return project.default_branch.empty() ? mirror.default_branch()
                                        : project.default_branch;
}

// -- mirrors ------------------------------------------------------------------

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

// The same, brought up to date if it has not been just now, or if `force`.
git::mirror git_service::fetched(const project_record& project, bool force) {
  auto& entry = entry_of(mirror_name(project));
  auto mirror = open(project);
  std::lock_guard guard{entry.fetching};
  if (!force && entry.fetched && clock::now() - *entry.fetched < fetch_cache)
    return mirror;
  mirror.fetch();
  // Where its HEAD is costs another talk, and changes seldom.
  if (!entry.head_fetched || clock::now() - *entry.head_fetched > head_cache) {
    mirror.fetch_head();
    entry.head_fetched = clock::now();
  }
  entry.fetched = clock::now();
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
                || (is("refs/greenroom/rescue/") && mirror.resolve_ref(from));
    if (is("refs/") && !here && !mirror.fetch_ref(from))
      return std::nullopt;
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
  auto merged =
    git::merge({open(request.project), review.target, review.base,
                review.commit, author_of(request.by), std::move(message)});
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
  return {shared_text{
    git::diff_commits(open(request.project), request.from, request.to)}};
}

upstream_refs git_service::run(const list_upstream& request) {
  try {
    return {fetched(request.project, true).upstream_refs()};
  } catch (const refused&) {
    return {open(request.project).upstream_refs()}; // as it was last seen
  }
}

// -- checkouts ----------------------------------------------------------------

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

done git_service::run(const make_checkout& request) {
  make(request.project, request.session, open(request.project), {});
  return {};
}

void git_service::make(const project_record& project,
                       const session_record& session, const git::mirror& mirror,
                       const std::optional<git::checkpoint>& from) {
  auto dir = session_dir(session.id);
  fs::create_directories(dir);
  use_usual_modes();
  auto proxy = origin_proxy(tools_, dir);
  auto users = tools_.host->users;
  auto owner = sandbox::settle(users.get(), dir, [&](const fs::path& home) {
    introduce(home, session, proxy);
  });
  git::checkout_spec spec{
    {dir / "checkout", mirror.path()},
    session.branch,
    session.base_commit,
    mirror.upstream_refs(),
    seen_owner(),
    {git::origin_url(project.repo), proxy, default_of(project, mirror)}};
  spec.owner = owner;
  spec.users = users;
  if (from) {
    spec.commit = from->tip;
    spec.work_tree = from->commit;
    spec.others = from->others;
  }
  git::make_checkout(spec);
  sockets_.open(session.id);
}

// This node may never have seen the project, and what it has seen of the
// session, if anything, is older than the checkpoint.
restored_checkout git_service::run(const restore_checkout& request) {
  const auto& session = request.session;
  auto mirror = fetched(request.project, true);
  auto found = git::fetch_checkpoint(mirror, session.id, session.branch);
  make(request.project, session, mirror, found);
  if (!found)
    return {};
  return {found->commit, found->saved_at * 1000};
}

done git_service::run(const save_checkpoint& request) {
  const auto& session = request.session;
  auto mirror = open(request.project);
  git::save_checkpoint({mirror, in_session(session, mirror), session.branch});
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
  git::checkout_spec spec{{dir / "checkout", mirror.path()},
                          review.branch,
                          commit_to_review(request, mirror),
                          mirror.upstream_refs(),
                          seen_owner(),
                          {git::origin_url(request.project.repo),
                           origin_proxy(tools_, dir),
                           default_of(request.project, mirror)}};
  spec.owner = sandbox::settle(users.get(), dir);
  spec.users = users;
  git::make_checkout(spec);
  // After a power cut it is made anew.
  git::install_checkout(dir / "checkout", false);
  return {};
}

git_answer git_service::run(const ask_checkout& request) {
  switch (request.what.what) {
    case git_question::state:
      return {shared_text{state(request)}};
    case git_question::mergeability:
      return {shared_text{mergeability(request)}};
    case git_question::diff:
      break;
  }
  return {shared_text{diff(request)}};
}

// From where HEAD left what it began with, or the default branch, whichever is
// later: after a rebase other people's changes are no part of it.
std::string git_service::diff(const ask_checkout& request) {
  const auto& session = request.session;
  auto mirror = open(request.project);
  std::vector<std::string> bases;
  if (!session.base_commit.empty())
    bases.push_back(session.base_commit);
  if (auto tip = mirror.resolve_branch(default_of(request.project, mirror)))
    bases.push_back(*tip);
  return in_session(session, mirror).diff(bases);
}

// HEAD is compared with the upstream's branch of the session's name, and while
// there is none with the default branch.
std::string git_service::state(const ask_checkout& request) {
  auto mirror = open(request.project);
  std::optional<std::string> beside;
  std::optional<std::string> upstream;
  for (const auto& name :
       {request.session.branch, default_of(request.project, mirror)}) {
    beside = mirror.resolve_branch(name);
    upstream = name;
    if (beside)
      break;
    upstream.reset();
  }
  auto now = in_session(request.session, mirror).state(beside.value_or(""));
  ordered_json answer{
    {"head", or_null(now.head)},     {"branch", or_null(now.branch)},
    {"detached", !now.branch},       {"upstream", or_null(upstream)},
    {"ahead", or_null(now.ahead)},   {"behind", or_null(now.behind)},
    {"dirty_files", now.dirty_files}};
  return text_of(answer);
}

std::string git_service::mergeability(const ask_checkout& request) {
  auto mirror = open(request.project);
  auto target = request.what.target.empty()
                  ? default_of(request.project, mirror)
                  : request.what.target;
  if (auto fault = git::name_fault(target))
    throw refused(errc::bad_request, "target " + *fault);
  auto tip = mirror.resolve_branch(target);
  if (!tip) {
    auto own = git::find_branch(session_dir(request.session.id) / "checkout",
                                request.session.branch);
    return text_of({{"mergeable", false},
                    {"status", "no_target"},
                    {"files", ordered_json::array()},
                    {"target", target},
                    {"target_commit", nullptr},
                    {"commit", or_null(own.commit)}});
  }
  auto forecast = in_session(request.session, mirror)
                    .forecast_merge(request.session.branch, *tip);
  auto commit =
    forecast.commit.empty() ? ordered_json() : ordered_json(forecast.commit);
  return text_of({{"mergeable", forecast.answer != git::merge_answer::conflict},
                  {"status", word_for(forecast.answer)},
                  {"files", forecast.files},
                  {"target", target},
                  {"target_commit", *tip},
                  {"commit", commit}});
}

checkout_tip git_service::run(const poll_branch& request) {
  auto found = git::find_branch(session_dir(request.session.id) / "checkout",
                                request.session.branch);
  return {found.commit.value_or(""), found.checked_out};
}

// -- endings ------------------------------------------------------------------

saved_checkin git_service::run(const save_checkin& request) {
  const auto& session = request.session;
  // It may have become so since the session was made.
  auto mirror = open(request.project);
  refuse_protected(request.project, session.branch,
                   default_of(request.project, mirror));
  auto message = request.message.empty()
                   ? "Work of session " + session.id + " on " + session.branch
                   : request.message;
  auto& entry = entry_of(mirror_name(request.project));
  auto lfs = lfs_of(request.project, mirror, false);
  auto result = git::checkin(
    {mirror, in_session(session, mirror), session.branch, session.base_commit,
     session.new_branch, author_of(request.by), message, answers(entry), &lfs});
  note_answer(entry, result.rescued);
  auto note = note_of(session.id, result.rescued);
  return {result.commit, std::move(result.rescued.refs), std::move(note)};
}

saved_rescue git_service::run(const save_rescue& request) {
  const auto& session = request.session;
  auto mirror = open(request.project);
  auto git = in_session(session, mirror);
  if (!fs::exists(fs::symlink_status(git.paths().checkout)))
    return {}; // it was never made, or is gone since its work was saved
  auto& entry = entry_of(mirror_name(request.project));
  auto result = git::rescue(
    {mirror, git, {"Greenroom", "rescue@greenroom.invalid"}, answers(entry)});
  note_answer(entry, result);
  auto note = note_of(session.id, result);
  return {std::move(result.refs), std::move(note)};
}

// Of many that end while the upstream is away not each is to wait for it.
bool git_service::answers(const mirror_entry& entry) {
  return clock::now() >= entry.away_until.load();
}

void git_service::note_answer(mirror_entry& entry,
                              const git::rescue_result& result) {
  if (result.upstream_failure)
    entry.away_until = clock::now() + away_time;
}

pushed_rescues git_service::run(const push_rescues& request) {
  pushed_rescues result;
  git::unpushed_list list{mirror_path(request.project)};
  if (list.all().empty())
    return result; // the project may not even have a mirror yet
  auto mirror = open(request.project);
  bool away = false;
  for (auto& one : list.all()) {
    std::erase_if(one.refs, [&](const auto& ref) { return !mirror.ref(ref); });
    if (!one.pushed && !away && !one.refs.empty()) {
      auto failure = mirror.push_refs(one.refs, late_push_timeout);
      // What it refuses of one it may take of another.
      away = failure && !failure->starts_with("the upstream refused");
      if (failure)
        spdlog::warn("session {}: its rescue refs are not pushed yet: {}",
                     one.session_id, *failure);
      one.pushed = !failure;
    }
    if (one.pushed || one.refs.empty()) {
      list.put({one.session_id, one.note, one.refs, true});
      result.sessions.push_back({one.session_id, one.note});
    } else {
      ++result.left;
    }
  }
  if (!away)
    entry_of(mirror_name(request.project)).away_until = clock::time_point{};
  return result;
}

done git_service::run(const forget_pushed& request) {
  git::unpushed_list{mirror_path(request.project)}.remove(
    checked(request.session_id));
  return {};
}

} // namespace greenroom
