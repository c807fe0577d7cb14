#include "runtime/auth/signed_text.hpp"

#include "runtime/auth/sha256.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <stdexcept>

namespace greenroom {

text_signer::text_signer(std::string_view purpose, std::string_view secret) {
  auto digest = sha256(std::string{purpose} + std::string{secret});
  secret_.assign(digest.begin(), digest.end());
}

std::string text_signer::code_of(std::string_view text) const {
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

std::string text_signer::sign(const std::string& text) const {
  return text + '.' + code_of(text);
}

std::optional<std::string_view>
text_signer::open(std::string_view signed_text) const {
  auto code_at = signed_text.rfind('.');
  if (code_at == signed_text.npos)
    return std::nullopt;
  auto text = signed_text.substr(0, code_at);
  auto code = signed_text.substr(code_at + 1);
  auto wanted = code_of(text);
  if (code.size() != wanted.size()
      || CRYPTO_memcmp(code.data(), wanted.data(), code.size()) != 0)
    return std::nullopt;
  return text;
}

} // namespace greenroom
