#include "http/restinio/request_scan.hpp"

#include <algorithm>
#include <utility>

namespace greenroom::http {

request_scan::result request_scan::add(std::string_view bytes,
                                       const head_rules& rules) {
  result found;
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (at_ == part::head && head_.done())
      head_.start();
    if (!within())
      found.fine = at;
    at += take(bytes.substr(at), rules, found.refused);
    if (found.refused.status != 0)
      return found;
  }
  found.fine = bytes.size();
  return found;
}

std::size_t request_scan::take(std::string_view bytes, const head_rules& rules,
                               head_refusal& refused) {
  if (at_ == part::head) {
    auto found = head_.add(bytes, rules);
    refused = std::move(found.refused);
    if (head_.done())
      head_ends(rules);
    return found.taken;
  }
  waits_ = false;
  if (at_ == part::chunks) {
    auto taken = chunks_.add(bytes);
    if (!taken)
      refused = {400, "the request's body is not in chunks, as it is said to "
                      "be"};
    else if (chunks_.over())
      request_ends();
    return taken.value_or(0);
  }
  auto taken = std::min<std::uint64_t>(left_, bytes.size());
  left_ -= taken;
  if (left_ == 0)
    request_ends();
  return static_cast<std::size_t>(taken);
}

void request_scan::head_ends(const head_rules& rules) {
  ++heads_;
  known_ = known_ || (rules.knows && rules.knows(head_.credential()));
  body_begins();
}

void request_scan::body_begins() {
  if (!head_.chunked() && head_.length() == 0) {
    request_ends();
    return;
  }
  waits_ = head_.expects_continue();
  line_ = head_.request_line();
  chunks_ = {};
  left_ = head_.length();
  at_ = head_.chunked() ? part::chunks : part::length;
}

void request_scan::request_ends() {
  at_ = part::head;
  waits_ = false;
  ++whole_;
}

bool request_scan::must_go_ahead() noexcept {
  return std::exchange(waits_, false);
}

} // namespace greenroom::http
