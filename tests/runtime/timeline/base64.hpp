// Reads base64 back, the slow and plain way.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace greenroom::test {

inline std::string from_base64(std::string_view text) {
  constexpr std::string_view digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.size() % 4 != 0)
    throw std::runtime_error("base64 comes in fours");
  while (text.ends_with('='))
    text.remove_suffix(1);
  std::string result;
  std::uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    auto value = digits.find(c);
    if (value == digits.npos)
      throw std::runtime_error("no base64 digit");
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      result += static_cast<char>(bits >> count & 255);
    }
  }
  return result;
}

} // namespace greenroom::test
