// How a session's work leaves its checkout: check-in and rescue.
//
// Both can be run again after a crash at any step, and then end as if there
// had been no crash. Nobody else may work in the checkout meanwhile. They
// block, on git and on the upstream.
#pragma once

#include "messages/records.hpp"
#include "runtime/git/mirror/lfs_store.hpp"
#include "runtime/git/mirror/mirror.hpp"
#include "runtime/git/mirror/rescue_push.hpp"
#include "runtime/git/session/git_rpc.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace greenroom::git {

/// How long an end waits for the upstream to take the rescue refs. They are
/// noted (unpushed_list), and pushed later where it does not.
inline constexpr std::chrono::seconds rescue_push_timeout{20};

struct rescue_spec {
  git::mirror mirror;
  sandboxed_git session;
  author by;
  bool push = true; // false: the upstream is known to be away
};

struct rescue_result {
  // In the mirror: refs/greenroom/rescue/<sid>/tree (what was not committed),
  // and the names of named_object; below 2/ where another node has kept
  // something under the same name (rescue_push.hpp). Empty: all that was
  // written is in the upstream.
  std::vector<rescue_ref> refs;
  // Why they are not in the upstream too. The work is safe all the same.
  std::optional<std::string> upstream_failure;
  // What could not be looked at, or saved. Where leaves_work(*note), the caller
  // keeps the directory.
  std::optional<std::string> note;
};

/// Saves what the session wrote and the upstream has not, each part by itself.
/// Throws if nothing of it could be saved: the caller then keeps the directory.
rescue_result rescue(const rescue_spec& spec);

/// The same of a session whose work is in the mirror already, and not in a
/// checkout: `work` has the names of named_object. The note says what it lacks.
rescue_result rescue_objects(const mirror& mirror,
                             const std::string& session_id,
                             const std::vector<named_object>& work, bool push,
                             const std::optional<std::string>& note = {});

/// Of what has a name in a session what is nowhere in the upstream, as far as
/// the mirror knows: an end keeps it under rescue refs.
std::vector<named_object> only_here(const mirror& mirror,
                                    std::vector<named_object> work);

struct checkin_spec {
  git::mirror mirror;
  sandboxed_git session;
  std::string branch;
  std::string base_commit; // where the branch stood at creation; may be empty
  bool new_branch = false; // the upstream had none of that name then
  author by;
  std::string message;      // of the commit with what was not committed
  bool push_rescued = true; // as rescue_spec::push; the branch is in any case
  // Delivers what Git LFS keeps; null: a branch with such files is refused.
  const lfs_store* lfs = nullptr;
};

struct checkin_result {
  std::string commit;    // the branch's tip; empty: there is no commit at all
  bool changed = false;  // the session has moved the branch
  rescue_result rescued; // what the session wrote beside the branch
};

/// Commits what is not committed if the session stands on its branch, rescues
/// what is not on that branch, and pushes the branch. What the upstream's
/// branch gained meanwhile is kept: throws refused(conflict) if the session
/// has not merged it, and refused(operation_in_progress) while a rebase, merge,
/// … is under way. A history that the session has rewritten is pushed as it
/// is while the upstream's branch stands where it stood at creation.
checkin_result checkin(const checkin_spec& spec);

} // namespace greenroom::git
