#include "actors/project/review_machine.hpp"

#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/auth/sha256.hpp"

#include <utility>

namespace greenroom::review {

namespace {

// How often a command judges a commit, each time against a target that moved.
constexpr std::uint32_t max_attempts = 8;

constexpr const char* merging = "approved, being merged";
constexpr const char* still_running =
  "the review is running; wait until it has ended";

step ended(review_record review, review_status status, std::string reason,
           unix_ms now) {
  review.status = status;
  review.status_reason = std::move(reason);
  review.ended_at = now;
  return {std::move(review), action::none};
}

step approved(review_record review, unix_ms now) {
  if (!review.auto_merge)
    return ended(std::move(review), review_status::approved, "", now);
  review.status = review_status::running;
  review.status_reason = merging;
  return {std::move(review), action::merge};
}

// Whoever judges it: nobody, the command, or a person.
step judge(review_record review, const project_record& project) {
  if (review.skipped) {
    review.status = review_status::running;
    review.status_reason = merging;
    return {std::move(review), action::merge};
  }
  if (!project.review.command.empty()) {
    review.status = review_status::running;
    return {std::move(review), action::run};
  }
  review.status = review_status::queued;
  return {std::move(review), action::none};
}

step already_there(review_record review, const found_target& target,
                   unix_ms now) {
  if (!review.auto_merge)
    return ended(std::move(review), review_status::approved,
                 "there is nothing to merge", now);
  review.merge_commit = target.tip;
  return ended(std::move(review), review_status::merged,
               "there was nothing to merge", now);
}

std::string why_rejected(const exec_outcome& outcome) {
  switch (outcome.status) {
    case exec_status::exited:
      return "the review command ended with exit code "
             + std::to_string(outcome.exit_code);
    case exec_status::signaled:
      return "the review command was ended by signal "
             + std::to_string(outcome.signal);
    case exec_status::timed_out:
      return "the review command took longer than review.timeout";
    default:
      return "the review command did not end by itself";
  }
}

// What became of a review that is over.
std::string ending_of(const review_record& review) {
  switch (review.status) {
    case review_status::approved:
      return "it was approved";
    case review_status::rejected:
      return "it was rejected";
    case review_status::merged:
      return "it was merged into " + review.target;
    case review_status::conflict:
      return "it conflicts with " + review.target
             + "; resolve that in a new session on its branch and check in "
               "again";
    case review_status::stale:
      return review.target + " had moved; check in again";
    default:
      return "it failed (" + review.status_reason + "); check in again";
  }
}

// The merge of what is approved, by whoever asks. `by_name` stays the name of
// who decided, whom nobody else's merge makes another.
step merge_asked(review_record review, const decide_review& request) {
  if (!is_open(review) && review.status != review_status::approved)
    throw refused(errc::conflict, "the review is over: " + ending_of(review));
  if (review.status == review_status::running)
    throw refused(errc::conflict, still_running);
  if (review.status != review_status::approved)
    throw refused(errc::conflict,
                  "the review is not approved; approve it first, or with "
                  "{\"merge\": true}");
  review.auto_merge = true;
  review.status = review_status::running;
  review.status_reason = merging;
  review.ended_at = 0;
  review.by_author = author_text(request.by);
  return {std::move(review), action::merge};
}

} // namespace

std::string id_of(const std::string& session_id) {
  // Hex digits are among the characters of an id.
  return sha256_hex("review of " + session_id).substr(0, id_length);
}

std::optional<refusal> fault(const project_record& project, bool skip_review,
                             bool auto_merge) {
  if (!skip_review || !auto_merge || !project.review.required)
    return std::nullopt;
  return refusal{errc::bad_request,
                 "this project requires a review; leave skip_review out"};
}

step open(const queue_review& request, const project_record& project,
          const found_target& target, unix_ms now) {
  if (auto why = fault(project, request.skip_review, request.auto_merge))
    throw refused(why->code, why->message);
  review_record review;
  review.id = id_of(request.session.id);
  review.project_id = project.id;
  review.session_id = request.session.id;
  review.branch = request.session.branch;
  review.target = target.name;
  review.commit = request.session.commit;
  review.base = target.tip;
  review.auto_merge = request.auto_merge;
  review.skipped = request.skip_review;
  review.created_by = request.by.key_id;
  review.by_name = request.by.key_name;
  review.by_author = request.by.author;
  review.created_at = now;
  if (target.has_commit)
    return already_there(std::move(review), target, now);
  return judge(std::move(review), project);
}

step ran(review_record review, const exec_outcome& outcome, unix_ms now) {
  if (outcome.status == exec_status::lost
      || outcome.status == exec_status::canceled)
    return failed(std::move(review),
                  outcome.reason.empty() ? "the review command was lost"
                                         : outcome.reason,
                  now);
  if (outcome.status == exec_status::exited)
    review.exit_code = outcome.exit_code;
  if (outcome.status == exec_status::exited && outcome.exit_code == 0)
    return approved(std::move(review), now);
  return ended(std::move(review), review_status::rejected,
               why_rejected(outcome), now);
}

bool was_decided(const review_record& review, const decide_review& decision) {
  if (decision.merge && !decision.approve)
    return decision.repeat
           && (review.status == review_status::merged
               || (is_open(review) && review.auto_merge));
  if (!decision.repeat || review.decided_by != decision.by.key_id
      || review.comment != decision.comment)
    return false;
  return decision.approve == (review.status != review_status::rejected);
}

step decided(review_record review, const decide_review& decision, unix_ms now) {
  if (decision.merge && !decision.approve)
    return merge_asked(std::move(review), decision);
  if (!is_open(review))
    throw refused(errc::conflict, "the review is over: " + ending_of(review));
  if (review.status != review_status::queued)
    throw refused(errc::conflict, still_running);
  review.decided_by = decision.by.key_id;
  review.by_name = decision.by.key_name;
  review.by_author = decision.by.author;
  review.comment = decision.comment;
  review.auto_merge = review.auto_merge || decision.merge;
  if (decision.approve)
    return approved(std::move(review), now);
  return ended(std::move(review), review_status::rejected, decision.comment,
               now);
}

step merged(review_record review, const merge_result& result, unix_ms now) {
  switch (result.status) {
    case review_status::merged:
      review.merge_commit = result.commit;
      return ended(std::move(review), review_status::merged, "", now);
    case review_status::conflict: {
      review.files = result.files;
      auto reason = "it conflicts with " + review.target;
      return ended(std::move(review), review_status::conflict,
                   std::move(reason), now);
    }
    default:
      break;
  }
  // A person looks once more; a command can do so more often, while others of
  // this project are merged before it.
  const auto most = review.decided_by.empty() ? max_attempts : 2u;
  if (review.attempt < most)
    return {std::move(review), action::retarget};
  auto reason = review.target + " has moved again";
  return ended(std::move(review), review_status::stale, std::move(reason), now);
}

step retargeted(review_record review, const project_record& project,
                const found_target& target, unix_ms now) {
  if (target.tip.empty()) {
    auto reason = "there is no branch " + review.target + " any more";
    return ended(std::move(review), review_status::stale, std::move(reason),
                 now);
  }
  review.base = target.tip;
  ++review.attempt;
  if (target.has_commit)
    return already_there(std::move(review), target, now);
  review.exit_code = -1;
  review.decided_by.clear();
  auto next = judge(std::move(review), project);
  if (next.next.status == review_status::queued)
    next.next.status_reason =
      next.next.target + " has moved since it was approved; look again";
  else if (next.then == action::run)
    next.next.status_reason.clear();
  return next;
}

step failed(review_record review, std::string reason, unix_ms now) {
  return ended(std::move(review), review_status::failed, std::move(reason),
               now);
}

step resume(review_record review, const project_record& project) {
  if (review.status == review_status::queued)
    return {std::move(review), action::none};
  // What had nothing to merge was approved by nobody, and may be asked to be
  // merged all the same. While the command runs there is no reason yet; of a
  // merge there is one, other words while it is tried again (merge_later).
  if (!review.decided_by.empty() || review.exit_code == 0
      || !review.status_reason.empty())
    return {std::move(review), action::merge};
  // The command is run again; one that the project has no more judges nothing.
  return judge(std::move(review), project);
}

} // namespace greenroom::review
