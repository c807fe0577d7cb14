// The decisions about a review, without an actor, a store or a repository.
//
//   queued → running → approved            nobody asked for a merge yet
//      │        ↑└──────── │
//      │        │    → merged | conflict | stale
//      └────────┴────→ rejected, failed
//
// Each function takes a review as it is stored and what happened, and answers
// with the review as it has to be stored next and what to do once it is. Steps
// can be taken again after a crash: `resume` says where a stored review stands.
#pragma once

#include "messages/errors.hpp"
#include "messages/project.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace greenroom::review {

enum class action : std::uint8_t {
  none,     // it is over, or waits for a person
  run,      // the review command, in a clean checkout
  merge,    // the pinned commit into the target
  retarget, // ask where the target stands now, since it has moved
};

struct step {
  review_record next;
  action then = action::none;
};

/// The review of a session, always the same: a check-in that is repeated finds
/// the one that it has made before.
std::string id_of(const std::string& session_id);

/// True while something is still to come.
inline bool is_open(const review_record& review) noexcept {
  return review.ended_at == 0;
}

/// Why a check-in cannot have what it wants. Asked before anything is moved.
std::optional<refusal> fault(const project_record& project, bool skip_review,
                             bool auto_merge);

/// A new review of what a session has checked in. Refused where `fault` says
/// so.
step open(const queue_review& request, const project_record& project,
          const found_target& target, unix_ms now);

/// The review command has ended.
step ran(review_record review, const exec_outcome& outcome, unix_ms now);

/// True where this very decision was taken before, by a request that is now
/// made once more.
bool was_decided(const review_record& review, const decide_review& decision);

/// A person has decided, or asks for the merge of what is approved, which opens
/// the review again. Refused where that is not for a person to do.
step decided(review_record review, const decide_review& decision, unix_ms now);

/// How the merge went. A target that has moved is looked at once more.
step merged(review_record review, const merge_result& result, unix_ms now);

/// The target stands elsewhere: what was judged is not what would be merged,
/// so it is judged anew.
step retargeted(review_record review, const project_record& project,
                const found_target& target, unix_ms now);

/// Something that the server needs for this review does not work.
step failed(review_record review, std::string reason, unix_ms now);

/// Where a review that was found open in the store at start goes on.
step resume(review_record review, const project_record& project);

} // namespace greenroom::review
