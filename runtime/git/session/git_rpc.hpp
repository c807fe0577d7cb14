// Git in a session's checkout, for the server.
//
// Whoever works in a session can write anything below its checkout, so the
// server does not open it: each call here runs greenroom-git in a one-shot
// sandbox of that session, and believes of its answer only what it has checked
// (object ids, names, sizes). In mode none it runs as the server's own user.
//
// Calls block, at most for the time that they name. They may run beside the
// session's commands; save wants those stopped unless it is told, and then it
// may miss what is being written.
//
// Errors: refused(conflict) with a sentence for the user where the repository
// is in the way, refused(operation_in_progress), refused(timeout); other
// exceptions for what the machine did.
#pragma once

#include "runtime/base/fd.hpp"
#include "runtime/git/common/author.hpp"
#include "runtime/git/inside/named_work.hpp"
#include "runtime/git/inside/repo.hpp"
#include "runtime/git/mirror/lfs_store.hpp"
#include "runtime/sandbox/plan.hpp"

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace greenroom::git {

/// What all sessions of a node have in common.
struct session_tools {
  std::shared_ptr<const sandbox::host> host;
  std::filesystem::path program; // greenroom-git, absolute
};

struct checkout_state {
  std::optional<std::string> head;   // nullopt: no commit yet
  std::optional<std::string> branch; // nullopt: HEAD is detached
  std::size_t dirty_files = 0;       // untracked ones included
  // HEAD beside the commit that was asked about; nullopt without either.
  std::optional<std::size_t> ahead;
  std::optional<std::size_t> behind;
};

enum class merge_answer { clean, conflict, up_to_date, fast_forward };

struct merge_forecast {
  merge_answer answer = merge_answer::up_to_date;
  std::size_t dirty_files = 0; // as of checkout_state; not part of the answer
  std::string commit;          // the branch's tip; empty: it has none
  std::vector<std::string> files; // in conflict; none: no common history
  std::string reason;             // why else it cannot be merged, or empty
};

struct save_request {
  author by;
  std::vector<std::string> known; // commits that the mirror has
  // Check-in: commit here what is not committed, if HEAD is on it. Empty: not.
  std::string branch;
  std::string message;
  std::string rescue_message;
  bool beside = false; // commands may be at work: nothing of theirs is touched
  bool own_only = false; // repositories inside are not looked at
  // Of the known those that the upstream has, with what Git LFS keeps of them.
  std::vector<std::string> upstream{};
};

/// A file that Git LFS keeps.
struct lfs_change {
  std::string path; // fit for users
  lfs_object contents;
  bool is_here = false; // the work's `lfs` has the contents
};

struct saved_work {
  std::optional<std::string> tip; // of save_request::branch
  // Each name once. Names and what they hold are fit for references and users.
  std::vector<named_object> named;
  std::optional<std::string> note; // what could not be looked at, or saved
  bool complete = true; // false: what the note names is in the checkout only
  std::vector<lfs_change> lfs; // files that are new on the branch
  // What all of these have and the known commits have not, as one pack: a file
  // without a name that stands where the pack begins. nullopt: nothing.
  std::optional<unique_fd> pack;
};

class sandboxed_git {
public:
  sandboxed_git(session_tools tools, session_paths paths)
    : tools_(std::move(tools)), paths_(std::move(paths)) {}

  const session_paths& paths() const noexcept {
    return paths_;
  }

  /// `beside`: a commit of the mirror, or empty. 20 s.
  checkout_state state(const std::string& beside) const;

  /// See diff_work. 25 s.
  std::string diff(const std::vector<std::string>& bases) const;

  /// See preview_merge. 25 s.
  merge_forecast forecast_merge(const std::string& branch,
                                const std::string& target) const;

  /// 100 s.
  saved_work save(const save_request& request) const;

private:
  std::vector<std::string> environment() const;
  std::string run(nlohmann::json request, std::chrono::seconds timeout,
                  int stdout_fd = -1) const;
  nlohmann::json ask(nlohmann::json request,
                     std::chrono::seconds timeout) const;

  session_tools tools_;
  session_paths paths_;
};

} // namespace greenroom::git
