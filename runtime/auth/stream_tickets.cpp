#include "runtime/auth/stream_tickets.hpp"

#include "messages/ids.hpp"

#include <charconv>
#include <utility>

namespace greenroom {

namespace {

constexpr std::string_view ticket_purpose =
  "greenroom stream tickets, version 1\n";

/// Takes what stands behind the last dot off `text`.
std::string_view take_last(std::string_view& text) {
  auto at = text.rfind('.');
  if (at == text.npos)
    return {};
  auto last = text.substr(at + 1);
  text = text.substr(0, at);
  return last;
}

} // namespace

stream_tickets::stream_tickets(std::string_view admin_secret)
  : signer_(ticket_purpose, admin_secret) {}

std::string stream_tickets::make(const std::string& key_id,
                                 const std::string& session_id,
                                 unix_ms expires_at) const {
  // The last part makes two of the same moment different.
  return signer_.sign(key_id + '.' + session_id + '.'
                      + std::to_string(expires_at) + '.' + make_id());
}

const key_record* stream_tickets::spend(std::string_view ticket,
                                        std::string_view session_id,
                                        const key_table& keys, unix_ms now) {
  auto text = signer_.open(ticket);
  if (!text)
    return nullptr;
  auto rest = *text;
  auto unique = take_last(rest);
  auto time = take_last(rest);
  auto session = take_last(rest);
  unix_ms until = 0;
  std::from_chars(time.data(), time.data() + time.size(), until);
  if (unique.empty() || session != session_id || now >= until)
    return nullptr;
  const auto* key = keys.find_id(std::string{rest}, now);
  if (key == nullptr || !note_spent({until, std::string{unique}, key->id}, now))
    return nullptr;
  return key;
}

bool stream_tickets::note_spent(spent_ticket ticket, unix_ms now) {
  std::lock_guard guard{mutex_};
  while (!spent_.empty() && spent_.begin()->until <= now) {
    auto count = spent_by_.find(spent_.begin()->key_id);
    if (--count->second == 0)
      spent_by_.erase(count);
    spent_.erase(spent_.begin());
  }
  auto found = spent_by_.find(ticket.key_id);
  if (found != spent_by_.end() && found->second == max_spent)
    return false;
  auto key_id = ticket.key_id;
  if (!spent_.insert(std::move(ticket)).second)
    return false;
  ++spent_by_[std::move(key_id)];
  return true;
}

} // namespace greenroom
