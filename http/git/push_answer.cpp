#include "http/git/push_answer.hpp"

#include "http/git/pkt_line.hpp"

#include <array>
#include <utility>

namespace greenroom::http::git_http {

namespace {

constexpr std::size_t max_report = 64 * 1024;

/// How git says that it cannot bring the checkout to the new commit.
constexpr std::array<std::string_view, 3> unclean_reasons{
  "Up-to-date check failed", "Working directory has ",
  "Could not update working tree"};

constexpr std::string_view unclean_advice =
  "\2greenroom: the session's checkout has changes of its own, or git is at "
  "work in it, and nothing was pushed: commit, stash or undo them in the "
  "session, then push again\n";

/// How it says that the push would take commits off the branch.
constexpr std::string_view backward_reason = "non-fast-forward";

constexpr std::string_view backward_advice =
  "\2greenroom: the session's branch has commits that this push would drop, "
  "and nothing was pushed, for no push may do that, forced or not: git pull "
  "--rebase, then push again; to drop them, first run git reset --keep COMMIT "
  "in the session, with a commit that you have, too\n";

} // namespace

std::string push_answer::pass(std::string_view bytes) {
  if (foreign_)
    return std::string{bytes};
  pending_ += bytes;
  std::string result;
  std::size_t done = 0;
  try {
    while (auto next = first_packet(std::string_view{pending_}.substr(done))) {
      if (!next->special)
        hear(next->payload);
      else if (side_band_ && !advice_.empty())
        result += make_packet(std::exchange(advice_, {}));
      result.append(pending_, done, next->size);
      done += next->size;
    }
    pending_.erase(0, done);
  } catch (const bad_packet&) {
    foreign_ = true;
    result.append(pending_, done);
    pending_.clear();
  }
  return result;
}

std::string push_answer::rest() {
  return std::exchange(pending_, {});
}

void push_answer::hear(std::string_view payload) {
  if (!side_band_) {
    hear_report(without_line_break(payload));
    return;
  }
  if (!payload.starts_with('\1') || report_.size() > max_report)
    return;
  report_ += payload.substr(1);
  std::size_t done = 0;
  while (auto next = first_packet(std::string_view{report_}.substr(done))) {
    hear_report(without_line_break(next->payload));
    done += next->size;
  }
  report_.erase(0, done);
}

void push_answer::hear_report(std::string_view line) {
  if (line == "ok " + ref_)
    moved_ = true;
  auto refused = "ng " + ref_ + ' ';
  if (!line.starts_with(refused))
    return;
  line.remove_prefix(refused.size());
  if (line == backward_reason)
    advice_ = backward_advice;
  for (auto reason : unclean_reasons)
    if (line.starts_with(reason))
      advice_ = unclean_advice;
}

} // namespace greenroom::http::git_http
