// Messages to the git workers, and their interface.
//
// Blocking work on repositories: a small pool of threads, in order of arrival.
// Refuses with overloaded when its queue is full.
#pragma once

#include "messages/common.hpp"
#include "messages/shared_text.hpp"

#include <caf/typed_actor.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace greenroom {

/// What git knows of a session.
enum class git_question : std::uint8_t {
  state,        // JSON: head, branch, ahead, behind, dirty_files
  diff,         // a unified diff of branch and work tree against the base
  mergeability, // JSON: of the branch, as committed, into `target`
};

struct ask_git {
  git_question what = git_question::state;
  std::string target; // empty: the project's default branch
};
GREENROOM_INSPECT(ask_git, x.what, x.target)

struct git_answer {
  shared_text text;
};
GREENROOM_INSPECT(git_answer, x.text)

/// Brings the mirror up to date and finds the commit that a session starts
/// from. Refused with not_found "branch not found", or unavailable where the
/// upstream cannot be reached and the mirror does not know the name.
struct resolve_branch {
  project_record project;
  std::string branch;
  bool new_branch = false;
  std::string from_ref;
};
GREENROOM_INSPECT(resolve_branch, x.project, x.branch, x.new_branch, x.from_ref)

struct resolved_branch {
  std::string commit;
  std::string default_branch; // of the project, as it is now
};
GREENROOM_INSPECT(resolved_branch, x.commit, x.default_branch)

/// Makes a session's checkout, whole, but not in its place yet.
struct make_checkout {
  project_record project;
  session_record session;
};
GREENROOM_INSPECT(make_checkout, x.project, x.session)

/// Puts the checkout that was made into its place, once all of it is on disk.
struct install_checkout {
  std::string session_id;
};
GREENROOM_INSPECT(install_checkout, x.session_id)

/// Commits what is dirty, takes the objects into the mirror and pushes the
/// branch to the upstream. Can be repeated after a crash at any step.
struct save_checkin {
  project_record project;
  session_record session;
  caller by;
  std::string message;
  /// By the node's monotonic clock. The git workers note it.
  millis asked_at = 0;
};
GREENROOM_INSPECT(save_checkin, x.project, x.session, x.by, x.message,
                  x.asked_at)

struct saved_checkin {
  std::string commit;
  std::vector<rescue_ref> rescued; // what is not in the branch
  // What the user should know of them besides: a sentence, or empty. So that
  // they are in the node's mirror only, and why.
  std::string note;
};
GREENROOM_INSPECT(saved_checkin, x.commit, x.rescued, x.note)

/// Keeps the work of a session under refs/greenroom/rescue/<sid>/.
struct save_rescue {
  project_record project;
  session_record session;
  millis asked_at = 0; // as in save_checkin
};
GREENROOM_INSPECT(save_rescue, x.project, x.session, x.asked_at)

struct saved_rescue {
  std::vector<rescue_ref> rescued; // empty: there was nothing to keep
  std::string note;                // as in saved_checkin
};
GREENROOM_INSPECT(saved_rescue, x.rescued, x.note)

/// Has the upstream keep a session's work as it is now, beside its running
/// commands, so that another node can go on with it.
struct save_checkpoint {
  project_record project;
  session_record session;
};
GREENROOM_INSPECT(save_checkpoint, x.project, x.session)

/// Once the session is over and its work is safe in the upstream otherwise.
struct drop_checkpoint {
  project_record project;
  std::string session_id;
};
GREENROOM_INSPECT(drop_checkpoint, x.project, x.session_id)

/// As make_checkout, of a session that another node had: from its checkpoint,
/// or where there is none from the commit that it began with.
struct restore_checkout {
  project_record project;
  session_record session;
};
GREENROOM_INSPECT(restore_checkout, x.project, x.session)

struct restored_checkout {
  std::string checkpoint; // its commit; empty: there was none
  unix_ms saved_at = 0;
};
GREENROOM_INSPECT(restored_checkout, x.checkpoint, x.saved_at)

struct ask_checkout {
  project_record project;
  session_record session;
  ask_git what;
};
GREENROOM_INSPECT(ask_checkout, x.project, x.session, x.what)

/// Where a session's branch stands in its checkout.
struct poll_branch {
  project_record project;
  session_record session;
};
GREENROOM_INSPECT(poll_branch, x.project, x.session)

struct checkout_tip {
  std::string commit; // empty: it has none
  bool checked_out = false;
};
GREENROOM_INSPECT(checkout_tip, x.commit, x.checked_out)

/// The upstream's target branch as it is now, and whether it has the commit
/// already.
struct find_target {
  project_record project;
  std::string target; // empty: the default branch
  std::string commit;
};
GREENROOM_INSPECT(find_target, x.project, x.target, x.commit)

struct found_target {
  std::string name;
  std::string tip; // empty: there is no such branch
  bool has_commit = false;
};
GREENROOM_INSPECT(found_target, x.name, x.tip, x.has_commit)

/// The upstream's branches and tags as it has them now.
struct list_upstream {
  project_record project;
};
GREENROOM_INSPECT(list_upstream, x.project)

struct upstream_refs {
  string_map ids; // of `heads/x`, `tags/y`
};
GREENROOM_INSPECT(upstream_refs, x.ids)

/// Merges the pinned commit into the target where it stands at `base`:
/// fast-forward, or a merge commit made in memory; pushed with a lease.
struct merge_review {
  project_record project;
  review_record review;
  caller by;
  millis asked_at = 0; // as in save_checkin
};
GREENROOM_INSPECT(merge_review, x.project, x.review, x.by, x.asked_at)

struct merge_result {
  review_status status = review_status::merged; // merged, conflict or stale
  std::string commit;                           // the target's, once merged
  std::vector<std::string> files;               // in conflict
};
GREENROOM_INSPECT(merge_result, x.status, x.commit, x.files)

/// Pushes what is kept under rescue refs in the project's mirror and could not
/// be pushed before. Can be repeated: what is reported is reported again until
/// forget_pushed.
struct push_rescues {
  project_record project;
};
GREENROOM_INSPECT(push_rescues, x.project)

struct pushed_rescue {
  std::string session_id;
  std::string note; // what is left to say of its rescue refs, or empty
};
GREENROOM_INSPECT(pushed_rescue, x.session_id, x.note)

struct pushed_rescues {
  std::vector<pushed_rescue> sessions; // whose refs the upstream has now
  std::uint32_t left = 0;              // sessions whose refs it has not
};
GREENROOM_INSPECT(pushed_rescues, x.sessions, x.left)

/// That the session's refs are pushed is known where it has to be.
struct forget_pushed {
  project_record project;
  std::string session_id;
};
GREENROOM_INSPECT(forget_pushed, x.project, x.session_id)

/// Which of these sessions have a checkout on this node's disk.
struct measure_kept {
  project_record project;
  std::vector<std::string> session_ids;
};
GREENROOM_INSPECT(measure_kept, x.project, x.session_ids)

struct kept_files {
  std::string session_id;
  std::uint64_t bytes = 0; // of the disk
};
GREENROOM_INSPECT(kept_files, x.session_id, x.bytes)

struct kept_files_list {
  std::vector<kept_files> sessions;
};
GREENROOM_INSPECT(kept_files_list, x.sessions)

/// Which sessions and reviews have a directory on this node's disk.
struct list_directories {
  bool in_use = false;         // only those with what belongs to a live session
  unix_ms unchanged_since = 0; // only those; 0: all
};
GREENROOM_INSPECT(list_directories, x.in_use, x.unchanged_since)

struct directory_list {
  std::vector<std::string> ids; // in no order
};
GREENROOM_INSPECT(directory_list, x.ids)

/// Answered with a unified diff of two commits of the mirror.
struct diff_commits {
  project_record project;
  std::string from;
  std::string to;
};
GREENROOM_INSPECT(diff_commits, x.project, x.from, x.to)

/// A clean checkout of a review's commit below its own directory.
struct make_review_checkout {
  project_record project;
  review_record review;
};
GREENROOM_INSPECT(make_review_checkout, x.project, x.review)

/// Removes all that a session or review left on this node's disk. Refused as
/// conflict while its checkout is there: that goes once its work is saved.
struct remove_session_files {
  std::string session_id;
};
GREENROOM_INSPECT(remove_session_files, x.session_id)

/// Removes a session's checkout and sockets; timeline and logs stay.
struct remove_checkout {
  std::string session_id;
};
GREENROOM_INSPECT(remove_checkout, x.session_id)

using git_actor = caf::typed_actor<
  // The commit that a new session starts from, after a fetch.
  caf::replies_to<resolve_branch>::with<resolved_branch>,
  // Makes a session's checkout beside its place.
  caf::replies_to<make_checkout>::with<done>,
  // Moves it to its place once it is on disk.
  caf::replies_to<install_checkout>::with<done>,
  // Commits, imports and pushes a session's work.
  caf::replies_to<save_checkin>::with<saved_checkin>,
  // Keeps a session's work under rescue refs.
  caf::replies_to<save_rescue>::with<saved_rescue>,
  // Keeps a session's work where another node finds it.
  caf::replies_to<save_checkpoint>::with<done>,
  // Has the upstream forget that.
  caf::replies_to<drop_checkpoint>::with<done>,
  // Makes the checkout of a session that another node had.
  caf::replies_to<restore_checkout>::with<restored_checkout>,
  // Removes a session's checkout and sockets.
  caf::replies_to<remove_checkout>::with<done>,
  // Removes all files of a session or review.
  caf::replies_to<remove_session_files>::with<done>,
  // Status, diff or mergeability of a checkout.
  caf::replies_to<ask_checkout>::with<git_answer>,
  // Where a session's branch stands in its checkout.
  caf::replies_to<poll_branch>::with<checkout_tip>,
  // Where a review's target stands upstream.
  caf::replies_to<find_target>::with<found_target>,
  // The upstream's branches and tags.
  caf::replies_to<list_upstream>::with<upstream_refs>,
  // Merges a reviewed commit and pushes the target.
  caf::replies_to<merge_review>::with<merge_result>,
  // A diff between two commits of the mirror.
  caf::replies_to<diff_commits>::with<git_answer>,
  // A clean checkout of a review's commit.
  caf::replies_to<make_review_checkout>::with<done>,
  // Pushes rescue refs that the upstream has not yet.
  caf::replies_to<push_rescues>::with<pushed_rescues>,
  // They need not be reported any more.
  caf::replies_to<forget_pushed>::with<done>,
  // What ended sessions have kept on disk.
  caf::replies_to<measure_kept>::with<kept_files_list>,
  // Which sessions and reviews have a directory.
  caf::replies_to<list_directories>::with<directory_list>>;

} // namespace greenroom
