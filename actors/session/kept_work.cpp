#include "actors/session/kept_work.hpp"

#include "messages/left_work.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

namespace greenroom {

namespace {

// git keeps only one of two such references.
bool collide(const std::string& a, const std::string& b) {
  return a == b || a.starts_with(b + '/') || b.starts_with(a + '/');
}

constexpr std::string_view kept_words = "the work could not be saved (";

} // namespace

std::string kept_reason(const std::string& problem,
                        const std::string& session_id,
                        const std::string& node) {
  return std::string{kept_words} + problem + ')'
         + place_of_work(session_id, node);
}

std::string kept_part(const session_record& record) {
  const auto& reason = record.status_reason;
  auto begin = reason.find(kept_words);
  if (begin == reason.npos
      || reason.find(place_of_work(record.id, record.node)) == reason.npos)
    return {};
  return reason.substr(begin);
}

session_record rescued_later(session_record record, saved_rescue saved) {
  auto& refs = record.rescue_refs;
  std::erase_if(refs, [&](const auto& old) {
    return std::ranges::any_of(saved.rescued, [&](const auto& one) {
      return collide(old.ref, one.ref);
    });
  });
  std::ranges::move(saved.rescued, std::back_inserter(refs));
  auto whole = !leaves_work(saved.note);
  record.rescue_note = std::move(saved.note);
  auto place = place_of_work(record.id, record.node);
  auto& reason = record.status_reason;
  if (auto at = reason.find(place); whole && at != reason.npos)
    reason.replace(at, place.size(), ", and was saved later");
  return record;
}

} // namespace greenroom
