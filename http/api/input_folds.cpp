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

std::vector<audit_entry> input_folds::add(audit_entry entry, std::size_t bytes,
                                          bool ends) {
  std::vector<audit_entry> due;
  entry.requests = 1;
  entry.bytes = bytes;
  auto known = std::ranges::find_if(
    open_, [&](const audit_entry& one) { return same_input(one, entry); });
  if (known != open_.end()) {
    entry.requests += known->requests;
    entry.bytes += known->bytes;
    *known = std::move(entry);
    if (ends) {
      due.push_back(std::move(*known));
      open_.erase(known);
    }
    return due;
  }
  due.push_back(entry);
  if (ends)
    return due;
  if (open_.size() == max_open) {
    if (open_.front().requests != 0)
      due.push_back(std::move(open_.front()));
    open_.erase(open_.begin());
  }
  entry.requests = entry.bytes = 0;
  open_.push_back(std::move(entry));
  return due;
}

std::vector<audit_entry> input_folds::take_waiting() {
  std::erase_if(open_,
                [](const audit_entry& one) { return one.requests == 0; });
  auto waiting = open_;
  for (auto& one : open_)
    one.requests = one.bytes = 0;
  return waiting;
}

} // namespace greenroom::http
