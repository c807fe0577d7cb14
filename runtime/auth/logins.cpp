#include "runtime/auth/logins.hpp"

#include "runtime/auth/sha256.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <charconv>
#include <stdexcept>

namespace greenroom {

namespace {

// What the secret is made for, so that no other use of the administrator's key
// gives the same.
constexpr std::string_view purpose = "greenroom logins, version 1\n";

} // namespace

logins::logins(std::string_view admin_secret) {
  auto digest = sha256(std::string{purpose} + std::string{admin_secret});
  secret_.assign(digest.begin(), digest.end());
}

std::string logins::code_of(std::string_view text) const {
  std::array<unsigned char, EVP_MAX_MD_SIZE> code{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(),
           code.data(), &size)
      == nullptr)
    throw std::runtime_error("libcrypto cannot compute HMAC-SHA-256");
  constexpr std::string_view digits = "0123456789abcdef";
  std::string result;
  for (unsigned i = 0; i < size; ++i) {
    result += digits[code[i] >> 4];
    result += digits[code[i] & 15];
  }
  return result;
}

std::string logins::make(const std::string& key_id, unix_ms expires_at) const {
  auto text = key_id + '.' + std::to_string(expires_at);
  return text + '.' + code_of(text);
}

const key_record* logins::find(std::string_view login, const key_table& keys,
                               unix_ms now) const {
  auto code_at = login.rfind('.');
  auto time_at = login.substr(0, code_at).rfind('.');
  if (code_at == login.npos || time_at == login.npos)
    return nullptr;
  auto text = login.substr(0, code_at);
  auto code = login.substr(code_at + 1);
  auto wanted = code_of(text);
  if (code.size() != wanted.size()
      || CRYPTO_memcmp(code.data(), wanted.data(), code.size()) != 0)
    return nullptr;
  unix_ms until = 0;
  auto time = text.substr(time_at + 1);
  std::from_chars(time.data(), time.data() + time.size(), until);
  return now < until ? keys.find_id(std::string{text.substr(0, time_at)}, now)
                     : nullptr;
}

} // namespace greenroom
