// Git in a session's checkout, for the server.
//
// Whoever works in a session can write anything below its checkout, so the
// server does not open it: each call here runs greenroom-git in a one-shot
// sandbox of that session, and believes of its answer only what git_answers.hpp
// has checked. In mode none it runs as the server's own user.
//
// Calls block, at most for the time that they name. They may run beside the
// session's commands; save wants those stopped unless it is told, and then it
// may miss what is being written.
//
// Errors: refused(conflict) with a sentence for the user where the repository
// is in the way, refused(operation_in_progress), refused(timeout),
// refused(overloaded) where others wait to ask; other exceptions for what the
// machine did.
#pragma once

#include "runtime/git/common/author.hpp"
#include "runtime/git/inside/repo.hpp"
#include "runtime/git/mirror/question_limits.hpp"
#include "runtime/git/session/git_answers.hpp"
#include "runtime/sandbox/plan.hpp"

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <semaphore>
#include <string>
#include <vector>

namespace greenroom::git {

/// How many saves of a node may take longer than others at a time, so that
/// those keep no more threads from the rest.
inline constexpr std::ptrdiff_t max_long_saves = 2;

/// What all sessions of a node have in common.
struct session_tools {
  std::shared_ptr<const sandbox::host> host;
  std::filesystem::path program; // greenroom-git, absolute
  std::shared_ptr<std::counting_semaphore<>> long_saves =
    std::make_shared<std::counting_semaphore<>>(max_long_saves);
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

class sandboxed_git {
public:
  sandboxed_git(session_tools tools, session_paths paths)
    : tools_(std::move(tools)), paths_(std::move(paths)) {}

  const session_paths& paths() const noexcept {
    return paths_;
  }

  /// The same, whose calls end once that can be read.
  sandboxed_git until(question_limits::descriptor stop) const {
    auto result = *this;
    result.stop_ = std::move(stop);
    return result;
  }

  /// `beside`: a commit of the mirror, or empty. 20 s.
  checkout_state state(const std::string& beside) const;

  /// See diff_work. 25 s.
  std::string diff(const std::vector<std::string>& bases) const;

  /// See preview_merge. 25 s.
  merge_forecast forecast_merge(const std::string& branch,
                                const std::string& target) const;

  /// 100 s; at the end of a session as long as it does something, up to 10
  /// minutes, unless max_long_saves are under way.
  saved_work save(const save_request& request) const;

private:
  std::vector<std::string> environment() const;
  std::string run(nlohmann::json request, std::chrono::seconds timeout,
                  int stdout_fd = -1, std::chrono::seconds longest = {}) const;

  session_tools tools_;
  session_paths paths_;
  question_limits::descriptor stop_; // null: nothing ends them early
};

} // namespace greenroom::git
