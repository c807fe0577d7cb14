// Letters without a locale: as the names of protocols compare them.
#pragma once

#include <string>
#include <string_view>

namespace greenroom {

/// The small letter of an ASCII capital; else the same character.
constexpr char ascii_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

inline std::string ascii_lowered(std::string_view text) {
  std::string result{text};
  for (auto& c : result)
    c = ascii_lower(c);
  return result;
}

} // namespace greenroom
