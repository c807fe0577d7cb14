// Which characters are which in a request's head (RFC 9110, 5.6.2 and 5.5).
#pragma once

#include <array>
#include <string_view>

namespace greenroom::http {

inline constexpr auto token_characters = [] {
  std::array<bool, 256> result{};
  for (unsigned char c :
       std::string_view{"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ"})
    result[c] = true;
  return result;
}();

/// May be part of a method's or a field's name.
constexpr bool is_token_character(char c) noexcept {
  return token_characters[static_cast<unsigned char>(c)];
}

/// May not be part of a field's value; of controls a tab may.
constexpr bool is_control(char c) noexcept {
  auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7f;
}

} // namespace greenroom::http
