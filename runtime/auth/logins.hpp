// Logins: a key for a browser that can keep no secret in its scripts.
//
// A login stands for a key for a while. It names the key and when it is over,
// and a code that only who knows the administrator's key can make; so nothing
// is kept of it, it outlives a restart, and nodes with the same administrator's
// key take each other's. It opens nothing once its key is revoked or expired; a
// new administrator's key ends all logins.
#pragma once

#include "runtime/auth/api_keys.hpp"
#include "runtime/auth/signed_text.hpp"

#include <string>
#include <string_view>

namespace greenroom {

/// How long a login lasts.
inline constexpr unix_ms login_time = 12LL * 60 * 60 * 1000;

class logins {
public:
  explicit logins(std::string_view admin_secret);

  /// A login for the key until `expires_at`: visible ASCII without commas and
  /// semicolons.
  std::string make(const std::string& key_id, unix_ms expires_at) const;

  /// The key that it stands for at `now`; nullptr where it is none, or over.
  /// Lives as long as `keys`.
  const key_record* find(std::string_view login, const key_table& keys,
                         unix_ms now) const;

private:
  text_signer signer_;
};

} // namespace greenroom
