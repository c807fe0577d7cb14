// Which characters are which in a request's head (RFC 9110, 5.6.2 and 5.5).
#pragma once

#include <array>
#include <string_view>

namespace greenroom::http {

/// Which bytes are letters, digits or one of `marks`.
constexpr std::array<bool, 256> characters_with(std::string_view marks) {
  std::array<bool, 256> result{};
  for (unsigned char c : std::string_view{"0123456789abcdefghijklmnopqrstuvwxyz"
                                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ"})
    result[c] = true;
  for (unsigned char c : marks)
    result[c] = true;
  return result;
}

inline constexpr auto token_characters = characters_with("!#$%&'*+-.^_`|~");
inline constexpr auto plain_path_characters = characters_with("/-._~");

/// May be part of a method's or a field's name.
constexpr bool is_token_character(char c) noexcept {
  return token_characters[static_cast<unsigned char>(c)];
}

/// Stands for itself in a path (RFC 3986, 2.3), or parts it.
constexpr bool is_plain_path_character(char c) noexcept {
  return plain_path_characters[static_cast<unsigned char>(c)];
}

/// May not be part of a field's value; of controls a tab may.
constexpr bool is_control(char c) noexcept {
  auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7f;
}

} // namespace greenroom::http
