#include "runtime/auth/sha256.hpp"

#include <openssl/evp.h>

#include <memory>
#include <stdexcept>

namespace greenroom {

namespace {

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9')
    return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct freed {
  void operator()(EVP_MD* x) const noexcept {
    EVP_MD_free(x);
  }
  void operator()(EVP_MD_CTX* x) const noexcept {
    EVP_MD_CTX_free(x);
  }
};

} // namespace

sha256_digest sha256(std::string_view text) {
  // To find the algorithm takes longer than to compute it, and every request
  // with a key comes here.
  static const std::unique_ptr<EVP_MD, freed> algorithm{
    EVP_MD_fetch(nullptr, "SHA256", nullptr)};
  thread_local const std::unique_ptr<EVP_MD_CTX, freed> context{
    EVP_MD_CTX_new()};
  sha256_digest result;
  if (EVP_DigestInit_ex2(context.get(), algorithm.get(), nullptr) != 1
      || EVP_DigestUpdate(context.get(), text.data(), text.size()) != 1
      || EVP_DigestFinal_ex(context.get(), result.data(), nullptr) != 1)
    throw std::runtime_error("libcrypto cannot compute SHA-256");
  return result;
}

std::string sha256_hex(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string result;
  for (auto byte : sha256(text)) {
    result += digits[byte >> 4];
    result += digits[byte & 15];
  }
  return result;
}

std::optional<sha256_digest> parse_sha256(std::string_view hex) noexcept {
  sha256_digest result;
  if (hex.size() != 2 * result.size())
    return std::nullopt;
  for (std::size_t i = 0; i < result.size(); ++i) {
    auto high = hex_value(hex[2 * i]);
    auto low = hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0)
      return std::nullopt;
    result[i] = static_cast<unsigned char>(high * 16 + low);
  }
  return result;
}

} // namespace greenroom
