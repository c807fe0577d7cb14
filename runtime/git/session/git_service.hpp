// What the git workers do, each request as one blocking call.
//
// One for all workers of a node; thread-safe. Throws as the functions of
// runtime/git do; names and ids in requests are checked here again before they
// become paths or arguments.
//
//   git_service.cpp          the projects' mirrors, and what is asked of them
//   session_checkouts.cpp    checkouts of sessions and reviews, checkpoints
//   checkout_questions.cpp   state, diff and mergeability of a checkout
//   session_endings.cpp      check-ins and rescue refs
//   session_directories.cpp  what lies on the node's disk
//   origin.cpp               what git inside of a session asks of its origin
#pragma once

#include "messages/session.hpp"
#include "runtime/git/mirror/credentials.hpp"
#include "runtime/git/mirror/mirror.hpp"
#include "runtime/git/mirror/question_limits.hpp"
#include "runtime/git/session/checkin.hpp"
#include "runtime/git/session/checkpoint.hpp"
#include "runtime/git/session/git_rpc.hpp"
#include "runtime/git/session/origin_sockets.hpp"
#include "runtime/git/session/shared_calls.hpp"
#include "runtime/git/session/warm_checkouts.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace greenroom {

/// A fetch that is younger than this need not be repeated.
inline constexpr std::chrono::seconds fetch_cache{3};

/// How long it is believed where the upstream's HEAD is.
inline constexpr std::chrono::seconds head_cache{30};

/// What measure_kept is about.
inline constexpr const char* kept_question = "kept";

/// What the composition root gives the git workers.
struct git_settings {
  std::filesystem::path data_dir; // absolute
  git::session_tools tools;
  git::credentials credentials;
  std::uint64_t lfs_cache = std::uint64_t{20} << 30; // bytes
  git::warm_limits warm{};
};

class git_service {
public:
  explicit git_service(git_settings settings);

  // These speak to the upstream.
  resolved_branch run(const resolve_branch& request);
  saved_checkin run(const save_checkin& request);
  saved_rescue run(const save_rescue& request);
  done run(const save_checkpoint& request);
  done run(const drop_checkpoint& request);
  restored_checkout run(const restore_checkout& request);
  found_target run(const find_target& request);
  merge_result run(const merge_review& request);
  upstream_refs run(const list_upstream& request);
  pushed_rescues run(const push_rescues& request);

  // These do not.
  done run(const make_checkout& request);
  done run(const install_checkout& request);
  done run(const make_review_checkout& request);
  git_answer run(const ask_checkout& request);
  checkout_tip run(const poll_branch& request);
  git_answer run(const diff_commits& request);
  done run(const remove_checkout& request);
  done run(const remove_session_files& request);
  done run(const forget_pushed& request);
  kept_files_list run(const measure_kept& request);
  directory_list run(const list_directories& request);

  // What git inside of a session asks of its `origin` (origin.hpp).

  /// Whether a repository, as the node reaches it, may be shown in a project's
  /// sessions as a submodule.
  using module_rule = std::function<bool(const std::string& repo)>;

  /// The repository that is `path` there: the upstream as it is now, or a
  /// submodule that the default branch names relative to it and `may_show`
  /// allows. Throws refused(not_found).
  std::filesystem::path origin(const project_record& project,
                               const std::string& path,
                               const module_rule& may_show);

  /// Brings what the upstream has under full names that begin so into the
  /// project's view: what no fetch brings by itself, such as refs/pull/7/head;
  /// by `refs/` all of that. Never ours. What it does not have is not there
  /// then. Answers what it has, by full names, and the objects.
  string_map show_refs(const project_record& project,
                       const std::vector<std::string>& beginnings);

  /// What the upstream has now, by full names, and the objects that those name,
  /// with what annotated tags lead to as NAME^{}; of a long list its beginning.
  /// Ours are among them. Those who ask at once share one list.
  shared_calls<string_map>::result_ptr
  list_whole_upstream(const project_record& project);

  /// The project of a review that runs here, which may read from `origin` as
  /// its sessions do; nullopt where the id is no such one's.
  std::optional<project_record> project_of_review(const std::string& id);

  /// True where `path` is the upstream and no submodule.
  static bool is_upstream(const project_record& project,
                          const std::string& path);

  /// A push of the session's branch, as good as a check-in's: `pack_fd` has
  /// what is new, the upstream's branch must stand at `old` (empty: not be).
  void push(const transfer_grant& who, const std::string& old,
            const std::string& commit, int pack_fd, std::uint64_t max_size);

  /// Contents of the project's files that Git LFS keeps (lfs_store.hpp):
  /// those that are on the node (empty: they are not), and those that the
  /// upstream is asked for, or given, which may take minutes.
  unique_fd find_lfs(const project_record& project,
                     const git::lfs_object& what);
  unique_fd fetch_lfs(const project_record& project,
                      const git::lfs_object& what);
  void deliver_lfs(const project_record& project, const git::lfs_object& what,
                   int fd);

  /// Ends those that go on, and what is fetched or pushed for `origin`, or
  /// waits for that, for good. Check-ins go on.
  void stop_lfs();

  /// For files without a name that are to become part of a mirror.
  std::filesystem::path scratch() const {
    return data_dir_ / "repos";
  }

  origin_sockets& sockets() noexcept {
    return sockets_;
  }

  git::warm_checkouts& warm() noexcept {
    return warm_;
  }

  /// Of ask_checkout, diff_commits and measure_kept, by question_key of the
  /// session, the commit `to`, or kept_question.
  git::question_limits& questions() noexcept {
    return questions_;
  }

private:
  // What is known of one project's mirror.
  struct mirror_entry {
    std::mutex opening; // held while the mirror is opened or made
    std::optional<git::mirror> mirror;
    // Of those who have the turn to ask the upstream, which may be long.
    std::optional<std::chrono::steady_clock::time_point> fetched;
    std::chrono::steady_clock::time_point fetch_began{}; // that one's
    std::optional<std::chrono::steady_clock::time_point> head_fetched;
    // Until then it is not waited for by those who can do without.
    std::atomic<std::chrono::steady_clock::time_point> away_until{};
  };

  void make(const project_record& project, const session_record& session,
            const git::mirror& mirror,
            const std::optional<git::checkpoint>& from);
  static std::string default_of(const project_record& project,
                                const git::mirror& mirror);
  mirror_entry& entry_of(const std::string& mirror);
  void refuse_own(const std::string& repo) const;
  std::filesystem::path mirror_path(const project_record& project) const;
  git::mirror open(const project_record& project);
  git::lfs_store lfs_of(const project_record& project,
                        const git::mirror& mirror, bool until_stop) const;
  void refuse_without_contents(const transfer_grant& who,
                               const git::mirror& mirror,
                               const std::string& commit);
  git::mirror fetched(const project_record& project, bool force,
                      bool until_stop = false);
  std::filesystem::path submodule(const project_record& project,
                                  const std::string& path,
                                  const module_rule& may_show);
  // An id that becomes a directory's name, or refused(bad_request).
  static const std::string& checked(const std::string& id);
  std::filesystem::path session_dir(const std::string& session_id) const;
  static void refuse_beside(const std::string& branch,
                            const git::mirror& mirror);
  std::string commit_to_review(const make_review_checkout& request,
                               const git::mirror& mirror) const;
  git::sandboxed_git in_session(const session_record& session,
                                const git::mirror& mirror) const;
  std::optional<std::uint32_t> seen_owner() const;
  git::tree_limits tree_bound() const;
  git::sandboxed_git in_asked_session(const ask_checkout& request,
                                      const git::mirror& mirror);
  std::string state(const ask_checkout& request);
  std::string diff(const ask_checkout& request);
  std::string mergeability(const ask_checkout& request);
  static bool answers(const mirror_entry& entry);
  static void note_answer(mirror_entry& entry,
                          const git::rescue_result& result);
  void remove_groups_of(const std::string& id) const;
  void close_origin(const std::string& id);
  void take_back(const std::filesystem::path& session_dir) const;
  void make_room(const std::string& session_id) const;

  std::filesystem::path data_dir_;
  git::session_tools tools_;
  std::shared_ptr<const git::credentials> credentials_;
  std::shared_ptr<git::lfs_calls> lfs_calls_;
  std::shared_ptr<git::lfs_space> lfs_space_;
  shared_calls<string_map> lists_; // of upstreams, by mirrors
  shared_calls<bool> shown_;       // refs of theirs, by mirrors and names
  origin_sockets sockets_;
  git::warm_checkouts warm_;
  git::question_limits questions_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<mirror_entry>> entries_;
  std::map<std::string, project_record> reviews_; // that run
};

} // namespace greenroom
