#include "actors/session/journal/refusals.hpp"

namespace greenroom::journal {

void refusals::refused(const std::string& session_id, const std::string& why,
                       bool waits) {
  std::lock_guard guard{mutex_};
  auto& one = known_[session_id];
  one.why = why;
  one.until = waits ? std::nullopt : std::optional{clock::now() + believed_for};
  any_ = true;
}

void refusals::taken(const std::string& session_id) {
  if (!any_)
    return;
  std::lock_guard guard{mutex_};
  known_.erase(session_id);
  any_ = !known_.empty();
}

std::optional<std::string> refusals::problem() const {
  std::lock_guard guard{mutex_};
  const auto now = clock::now();
  for (const auto& [session_id, one] : known_)
    if (!one.until || now < *one.until)
      return "the timeline of session " + session_id
             + " takes no events: " + one.why;
  return std::nullopt;
}

} // namespace greenroom::journal
