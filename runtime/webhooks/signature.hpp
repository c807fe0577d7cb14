// How a receiver knows that a delivery is ours: the signature of Standard
// Webhooks (https://www.standardwebhooks.com), version 1.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace greenroom {

/// `whsec_` and 192 random bits in base64.
std::string make_webhook_secret();

/// The header webhook-signature: `v1,` and an HMAC-SHA256 in base64 of id, time
/// in seconds, and body. Throws std::runtime_error for a secret that is not of
/// make_webhook_secret's form.
std::string webhook_signature(std::string_view secret, std::string_view id,
                              std::int64_t seconds, std::string_view body);

} // namespace greenroom
