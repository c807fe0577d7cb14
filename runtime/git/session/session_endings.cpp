// How a session's work is kept when it ends: in a check-in, in rescue refs, and
// those in the upstream as soon as it takes them.
#include "runtime/git/session/git_service.hpp"

#include "messages/errors.hpp"
#include "runtime/base/remove_tree.hpp"
#include "runtime/base/session_paths.hpp"
#include "runtime/disk/disk_reserve.hpp"
#include "runtime/git/mirror/unpushed.hpp"
#include "runtime/git/session/author_of.hpp"
#include "runtime/git/session/checkin.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <functional>

namespace greenroom {

namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds away_time{30};
constexpr std::chrono::minutes late_push_timeout{10};

using clock = std::chrono::steady_clock;

// What the user has to know of rescued work; for the log too.
std::string note_of(const std::string& session_id,
                    const git::rescue_result& result) {
  // First what could not be saved: left_work_note begins it.
  auto note = result.note.value_or("");
  if (result.upstream_failure)
    note += (note.empty() ? "" : "; ")
            + std::string{"the rescue refs are in this node's mirror only, the "
                          "upstream does not have them ("}
            + *result.upstream_failure
            + "); they are pushed when it takes them";
  if (!note.empty())
    spdlog::warn("session {}: {}", session_id, note);
  return note;
}

// Why the upstream's checkpoint is not known; nullopt: it is.
std::optional<std::string> problem_of(const std::function<void()>& ask,
                                      bool answers) {
  if (!answers)
    return "the upstream does not answer";
  try {
    ask();
    return std::nullopt;
  } catch (const refused& away) {
    return away.what();
  }
}

// Of one without a checkout: that was never made, or was not made again from
// the session's checkpoint, which is all there is of its work then. One that
// this node knows may be older than the upstream's: that stays, then, where the
// upstream cannot be asked, which `ask` does.
git::rescue_result rescue_unmade(const session_record& session,
                                 const git::mirror& mirror, bool answers,
                                 const std::function<void()>& ask) {
  std::optional<std::string> unknown;
  if (session.status != session_status::creating)
    unknown = problem_of(ask, answers);
  if (unknown)
    unknown = "what the upstream has of its work stays there under "
              "refs/greenroom/checkpoints/"
              + session.id + " (" + *unknown + ')';
  return git::rescue_objects(mirror, session.id,
                             git::last_checkpoint(mirror, session.id),
                             answers && !unknown, unknown);
}

// Where another node has kept something under one of the names, the record has
// that name and the note says what it stands for.
std::optional<std::string> push_late(const git::mirror& mirror,
                                     git::unpushed_rescue& what) {
  auto done = git::push_rescue_refs(mirror, what.session_id, what.refs,
                                    late_push_timeout);
  for (const auto& [name, to] : done.renamed) {
    std::ranges::replace(what.refs, name, to);
    what.note += (what.note.empty() ? "" : "; ") + name + " is " + to
                 + " in the upstream, which has another node's under the first "
                   "name";
  }
  return std::move(done.failure);
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

// A full disk may be full of what is in a session's home and /tmp, which no end
// keeps: without them there is room for its work, and for storing that it has
// ended.
void git_service::make_room(const std::string& session_id) const {
  const auto dir = session_dir(session_id);
  const auto problem = disk_reserve{data_dir_}.check();
  if (problem.empty())
    return;
  spdlog::warn("session {}: {}, so its home and /tmp go before its work is "
               "saved",
               session_id, problem);
  std::vector<fs::path> all{dir / "home", dir / "tmp"};
  std::erase_if(
    all, [](const auto& one) { return !fs::exists(fs::symlink_status(one)); });
  try {
    sandbox::take_back(tools_.host->users.get(), all);
    std::ranges::for_each(all, remove_tree);
  } catch (const std::exception& e) {
    spdlog::warn("session {}: they are not removed: {}", session_id, e.what());
  }
}

saved_rescue git_service::run(const save_rescue& request) {
  const auto& session = request.session;
  make_room(session.id);
  auto mirror = open(request.project);
  auto git = in_session(session, mirror);
  auto& entry = entry_of(mirror_name(request.project));
  git::rescue_result result;
  if (fs::exists(fs::symlink_status(git.paths().checkout))) {
    result = git::rescue({mirror, git, author_of(session), answers(entry)});
  } else if (is_live(session.status)) {
    result = rescue_unmade(session, mirror, answers(entry), [&] {
      git::fetch_checkpoint(fetched(request.project, false), session.id,
                            session.branch);
    });
  }
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
      auto failure = push_late(mirror, one);
      // What it refuses of one it may take of another.
      away = failure && !failure->starts_with(git::mirror::upstream_refused);
      if (failure)
        spdlog::warn("session {}: its rescue refs are not pushed yet: {}",
                     one.session_id, *failure);
      one.pushed = !failure;
    }
    if (one.pushed || one.refs.empty()) {
      list.put({one.session_id, one.note, one.refs, true});
      result.sessions.push_back({one.session_id, one.note});
    } else {
      list.put(one);
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
