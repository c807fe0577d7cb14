#include "runtime/webhooks/signature.hpp"

#include "runtime/base/json_text.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace greenroom {

namespace {

constexpr std::string_view prefix = "whsec_";
constexpr std::size_t own_key_size = 24; // in base64 without padding
constexpr std::size_t max_key_size = 64;

bool is_base64(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
         || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

struct key {
  std::array<unsigned char, max_key_size + 2>
    bytes{};            // padding is decoded, too
  std::size_t size = 0; // 0: it is none
};

key key_of(std::string_view secret) noexcept {
  key result;
  if (!secret.starts_with(prefix))
    return result;
  auto text = secret.substr(prefix.size());
  const auto digits = text.substr(0, text.find('='));
  const auto padding = text.size() - digits.size();
  const auto size = text.size() / 4 * 3 - padding;
  if (text.size() % 4 != 0 || padding > 2
      || text.find_first_not_of('=', digits.size()) != std::string_view::npos
      || !std::ranges::all_of(digits, is_base64) || size < own_key_size
      || size > max_key_size)
    return result;
  if (EVP_DecodeBlock(result.bytes.data(),
                      reinterpret_cast<const unsigned char*>(text.data()),
                      static_cast<int>(text.size()))
      > 0)
    result.size = size;
  return result;
}

} // namespace

std::string make_webhook_secret() {
  std::array<unsigned char, own_key_size> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    throw std::runtime_error("libcrypto gives no random bytes");
  std::string result{prefix};
  append_base64(result,
                {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return result;
}

bool is_webhook_secret(std::string_view text) noexcept {
  return key_of(text).size != 0;
}

std::string webhook_signature(std::string_view secret, std::string_view id,
                              std::int64_t seconds, std::string_view body) {
  const auto with = key_of(secret);
  if (with.size == 0)
    throw std::runtime_error("a webhook's secret is not whsec_ and a key in "
                             "base64");
  std::string text{id};
  text.append(1, '.').append(std::to_string(seconds)).append(1, '.');
  text += body;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), with.bytes.data(), static_cast<int>(with.size),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(),
           digest.data(), &size)
      == nullptr)
    throw std::runtime_error("libcrypto cannot compute an HMAC");
  std::string result = "v1,";
  append_base64(result, {reinterpret_cast<const char*>(digest.data()), size});
  return result;
}

} // namespace greenroom
