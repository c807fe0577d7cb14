// Tickets: what opens one stream of one session, for who can send no key.
//
// A browser's own EventSource and WebSocket send no header, and an address ends
// up in histories and logs; so a key is no part of one. A ticket may be: it is
// over in half a minute, opens one stream, and dies with the key that it was
// made by. It names key, session and time, and has a code that only who knows
// the administrator's key can make, so nodes with the same one take each
// other's. Which were spent each node remembers by itself, and not beyond a
// restart: what answers at two nodes can be opened once at each.
#pragma once

#include "runtime/auth/api_keys.hpp"
#include "runtime/auth/signed_text.hpp"

#include <compare>
#include <cstddef>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace greenroom {

/// How long a ticket lasts.
inline constexpr unix_ms ticket_time = 30'000;

class stream_tickets {
public:
  explicit stream_tickets(std::string_view admin_secret);

  /// Letters, digits and dots.
  std::string make(const std::string& key_id, const std::string& session_id,
                   unix_ms expires_at) const;

  /// The key that it stands for, this once; nullptr where it is none of the
  /// session's, spent or over, and where the key has spent max_spent that would
  /// not be over yet. Lives as long as `keys`. From any thread.
  const key_record* spend(std::string_view ticket, std::string_view session_id,
                          const key_table& keys, unix_ms now);

  /// Of one key at a time, so that none can use up what others have.
  static constexpr std::size_t max_spent = 4096;

private:
  struct spent_ticket {
    unix_ms until;
    std::string unique;
    std::string key_id;
    auto operator<=>(const spent_ticket&) const = default;
  };

  bool note_spent(spent_ticket ticket, unix_ms now);

  const text_signer signer_;
  std::mutex mutex_;
  std::set<spent_ticket> spent_;                // by when they are over
  std::map<std::string, std::size_t> spent_by_; // keys, how many of them
};

} // namespace greenroom
