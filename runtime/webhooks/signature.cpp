#include "runtime/webhooks/signature.hpp"

#include "runtime/base/json_text.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <stdexcept>

namespace greenroom {

namespace {

constexpr std::string_view prefix = "whsec_";
constexpr std::size_t key_size = 24; // in base64 without padding
constexpr std::size_t text_size = 32;

using key = std::array<unsigned char, key_size>;

key key_of(std::string_view secret) {
  auto is_ours =
    secret.starts_with(prefix) && secret.size() == prefix.size() + text_size;
  key result{};
  if (!is_ours
      || EVP_DecodeBlock(result.data(),
                         reinterpret_cast<const unsigned char*>(
                           secret.data() + prefix.size()),
                         text_size)
           != static_cast<int>(key_size))
    throw std::runtime_error("a webhook's secret is not one that we made");
  return result;
}

} // namespace

std::string make_webhook_secret() {
  key bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    throw std::runtime_error("libcrypto gives no random bytes");
  std::string result{prefix};
  append_base64(result,
                {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return result;
}

std::string webhook_signature(std::string_view secret, std::string_view id,
                              std::int64_t seconds, std::string_view body) {
  const auto with = key_of(secret);
  std::string text{id};
  text.append(1, '.').append(std::to_string(seconds)).append(1, '.');
  text += body;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), with.data(), static_cast<int>(with.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(),
           digest.data(), &size)
      == nullptr)
    throw std::runtime_error("libcrypto cannot compute an HMAC");
  std::string result = "v1,";
  append_base64(result, {reinterpret_cast<const char*>(digest.data()), size});
  return result;
}

} // namespace greenroom
