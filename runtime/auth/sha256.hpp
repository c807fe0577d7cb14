// SHA-256, by libcrypto.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom {

using sha256_digest = std::array<unsigned char, 32>;

sha256_digest sha256(std::string_view text);

/// The same as 64 lower-case hex digits.
std::string sha256_hex(std::string_view text);

/// Reads what sha256_hex writes.
std::optional<sha256_digest> parse_sha256(std::string_view hex) noexcept;

} // namespace greenroom
