#include "http/api/credentials.hpp"

#include "http/base/parse.hpp"
#include "messages/errors.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/auth/logins.hpp"

namespace greenroom::http {

credentials credentials_of(const request& in) noexcept {
  credentials result;
  result.secret = secret_of(in.authorization, in.api_key);
  // Browsers cannot set headers on a WebSocket: they send the key as one of the
  // subprotocols that they offer.
  if (result.secret.empty())
    result.secret = secret_of_protocols(in.web_socket_protocol);
  if (result.secret.empty())
    result.login = login_of(in.cookie);
  return result;
}

void check_unlimited(const key_record& key, std::string_view what) {
  if (!key.projects.empty())
    throw refused(errc::forbidden,
                  std::string{what}
                    + " needs an API key that is not limited to projects");
}

const key_record* find_key(const credentials& sent, const key_ring& ring,
                           const key_table& keys) {
  const auto now = now_ms();
  if (!sent.secret.empty())
    return keys.find(sent.secret, now);
  return sent.login.empty() ? nullptr
                            : ring.logins().find(sent.login, keys, now);
}

} // namespace greenroom::http
