// The two questions about UTF-8 that turning bytes into events asks.
//
// Strict: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace greenroom {

/// True if all of it is whole, valid characters.
bool is_utf8(std::string_view bytes) noexcept;

/// How many bytes at the end, at most 3, are the beginning of a character that
/// more bytes could complete; 0 where the end is whole or can never be. Looks
/// at the last 3 bytes only.
std::size_t incomplete_tail(std::string_view bytes) noexcept;

} // namespace greenroom
