// Names that git, LFS and digests write in lowercase hexadecimal.
#pragma once

#include <cstddef>
#include <string_view>

namespace greenroom {

/// Lengths of a SHA-1 and a SHA-256 that are written so.
constexpr std::size_t sha1_digits = 40;
constexpr std::size_t sha256_digits = 64;

/// True if it is that many lowercase hexadecimal digits.
inline bool is_hex(std::string_view text, std::size_t digits) noexcept {
  return text.size() == digits
         && text.find_first_not_of("0123456789abcdef") == text.npos;
}

} // namespace greenroom
