// What sessions and reviews have on this node's disk, beside git.
#include "runtime/git/session/git_service.hpp"

#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "runtime/base/files.hpp"
#include "runtime/base/remove_tree.hpp"
#include "runtime/base/run_until.hpp"
#include "runtime/base/session_paths.hpp"
#include "runtime/git/session/checkout.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>

namespace greenroom {

namespace {

namespace fs = std::filesystem;

// For all that a project has kept: less than whoever asks for it waits.
constexpr std::chrono::seconds measure_timeout{25};

// What a session needs as long as it lives, and no longer.
constexpr std::array used_by_live{
  "checkout", "checkout.removed", "checkout.partial", "home",
  "tmp",      "runner.json"};

// What is taken away first gets another name, so that a crash half-way leaves
// nothing that could be mistaken for the whole.
void take_away(const fs::path& path) {
  auto doomed = path;
  doomed += ".removed";
  remove_tree(doomed);
  std::error_code absent;
  fs::rename(path, doomed, absent);
  remove_tree(doomed);
}

bool is_there(const fs::path& path) {
  std::error_code none;
  return fs::exists(fs::symlink_status(path, none));
}

bool is_in_use(const fs::path& dir) {
  return std::ranges::any_of(used_by_live,
                             [&](auto name) { return is_there(dir / name); });
}

bool is_unchanged_since(const fs::directory_entry& entry, unix_ms when) {
  std::error_code none;
  auto age = fs::file_time_type::clock::now() - entry.last_write_time(none);
  return !none && age > std::chrono::milliseconds{now_ms() - when};
}

} // namespace

const std::string& git_service::checked(const std::string& id) {
  if (!is_id(id))
    throw refused(errc::bad_request, "\"" + id + "\" is not an id");
  return id;
}

fs::path git_service::session_dir(const std::string& session_id) const {
  return greenroom::session_dir(data_dir_, checked(session_id));
}

directory_list git_service::run(const list_directories& request) {
  directory_list result;
  std::error_code none;
  for (auto& entry : fs::directory_iterator{sessions_dir(data_dir_), none}) {
    auto id = entry.path().filename().string();
    if (is_id(id) && (!request.in_use || is_in_use(entry.path()))
        && (request.unchanged_since == 0
            || is_unchanged_since(entry, request.unchanged_since)))
      result.ids.push_back(std::move(id));
  }
  return result;
}

// By `du`, which copes with trees of any depth.
kept_files_list git_service::run(const measure_kept& request) {
  using clock = std::chrono::steady_clock;
  const auto until = clock::now() + measure_timeout;
  const auto stop =
    questions_.watch(git::question_key(request.project.id, kept_question));
  kept_files_list result;
  for (const auto& id : request.session_ids) {
    auto dir = session_dir(id);
    if (!fs::exists(fs::symlink_status(dir / "checkout")))
      continue;
    command what;
    what.argv = {"du", "-sx", "--block-size=1", "--", dir.string()};
    what.env = {"LC_ALL=C"};
    what.timeout =
      std::chrono::ceil<std::chrono::milliseconds>(until - clock::now());
    auto measured = run_until(what, stop->get());
    if (!measured)
      git::give_way();
    // What cannot be looked at is not counted.
    result.sessions.push_back(
      {id, std::strtoull(measured->out.c_str(), nullptr, 10)});
  }
  return result;
}

// The last calls that could have made a sandbox for this id are over.
void git_service::remove_groups_of(const std::string& id) const {
  const auto& host = *tools_.host;
  if (host.config.mode != sandbox_mode::none
      && !sandbox::remove_groups(host.groups.open(id)))
    spdlog::warn("session {}: a process in its control group does not end", id);
}

// What a session's own user has made is ours to remove only after that.
void git_service::take_back(const fs::path& dir) const {
  std::vector<fs::path> all;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator{dir, none})
    all.push_back(entry.path());
  sandbox::take_back(tools_.host->users.get(), all);
}

void git_service::close_origin(const std::string& id) {
  sockets_.close(id);
  std::lock_guard guard{mutex_};
  reviews_.erase(id);
}

done git_service::run(const remove_checkout& request) {
  auto dir = session_dir(request.session_id);
  close_origin(request.session_id);
  take_back(dir);
  // First, for it may come into its place until then.
  git::discard_unplaced(dir / "checkout");
  take_away(dir / "checkout");
  remove_tree(dir / "home");
  remove_tree(dir / "tmp");
  remove_tree(dir / "origin");
  remove_tree(dir / "runner.json");
  remove_tree(dir / "runner.sock");
  remove_groups_of(request.session_id);
  return {};
}

done git_service::run(const remove_session_files& request) {
  auto dir = session_dir(request.session_id);
  if (is_there(dir / "checkout"))
    throw refused(errc::conflict,
                  "work that could not be saved is still in " + dir.string());
  close_origin(request.session_id);
  take_back(dir);
  take_away(dir);
  remove_groups_of(request.session_id);
  return {};
}

} // namespace greenroom
