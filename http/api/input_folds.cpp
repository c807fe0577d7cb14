#include "http/api/input_folds.hpp"

#include <algorithm>
#include <utility>

namespace greenroom::http {

namespace {

bool same_input(const audit_entry& a, const audit_entry& b) noexcept {
  return a.object == b.object && a.session_id == b.session_id
         && a.key_id == b.key_id && a.address == b.address
         && a.project_id == b.project_id;
}

} // namespace

input_folds::fold* input_folds::find(const audit_entry& entry) noexcept {
  auto found = std::ranges::find_if(
    open_, [&](const fold& one) { return same_input(one.entry, entry); });
  return found == open_.end() ? nullptr : &*found;
}

std::vector<audit_entry> input_folds::add(audit_entry entry, std::size_t bytes,
                                          bool ends) {
  std::vector<audit_entry> due;
  entry.requests = 1;
  entry.bytes = bytes;
  if (auto known = find(entry)) {
    entry.requests += known->entry.requests;
    entry.bytes += known->entry.bytes;
    known->entry = std::move(entry);
    if (ends) {
      due.push_back(std::move(known->entry));
      open_.erase(open_.begin() + (known - open_.data()));
    }
    return due;
  }
  due.push_back(entry);
  if (ends)
    return due;
  if (open_.size() == max_open) {
    if (open_.front().entry.requests != 0)
      due.push_back(std::move(open_.front().entry));
    open_.erase(open_.begin());
  }
  entry.requests = entry.bytes = 0;
  auto now = entry.time;
  open_.push_back({std::move(entry), now});
  return due;
}

std::vector<audit_entry> input_folds::take_due(unix_ms now) {
  std::vector<audit_entry> due;
  std::erase_if(open_, [&](fold& one) {
    if (one.since + period > now)
      return false;
    if (one.entry.requests == 0)
      return true;
    due.push_back(one.entry);
    one.entry.requests = one.entry.bytes = 0;
    one.since = now;
    return false;
  });
  return due;
}

std::vector<audit_entry> input_folds::take_all() {
  std::vector<audit_entry> all;
  for (auto& one : std::exchange(open_, {}))
    if (one.entry.requests != 0)
      all.push_back(std::move(one.entry));
  return all;
}

} // namespace greenroom::http
