#include "runtime/auth/logins.hpp"

#include <charconv>

namespace greenroom {

namespace {

// What the secret is made for, so that no other use of the administrator's key
// gives the same.
constexpr std::string_view login_purpose = "greenroom logins, version 1\n";

} // namespace

logins::logins(std::string_view admin_secret)
  : signer_(login_purpose, admin_secret) {}

std::string logins::make(const std::string& key_id, unix_ms expires_at) const {
  return signer_.sign(key_id + '.' + std::to_string(expires_at));
}

const key_record* logins::find(std::string_view login, const key_table& keys,
                               unix_ms now) const {
  auto text = signer_.open(login);
  auto time_at = text ? text->rfind('.') : std::string_view::npos;
  if (time_at == std::string_view::npos)
    return nullptr;
  unix_ms until = 0;
  auto time = text->substr(time_at + 1);
  std::from_chars(time.data(), time.data() + time.size(), until);
  return now < until ? keys.find_id(std::string{text->substr(0, time_at)}, now)
                     : nullptr;
}

} // namespace greenroom
