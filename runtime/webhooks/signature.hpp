// How a receiver knows that a delivery is ours: the signature of Standard
// Webhooks (https://www.standardwebhooks.com), version 1.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace greenroom {

/// `whsec_` and 192 random bits in base64.
std::string make_webhook_secret();

/// True for `whsec_` and a key of 24 to 64 bytes in base64, which is what the
/// standard's libraries take.
bool is_webhook_secret(std::string_view text) noexcept;

/// The header webhook-signature: `v1,` and an HMAC-SHA256 in base64 of id, time
/// in seconds, and body. Throws std::runtime_error for what is no secret.
std::string webhook_signature(std::string_view secret, std::string_view id,
                              std::int64_t seconds, std::string_view body);

} // namespace greenroom
