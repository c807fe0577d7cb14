// What an API key may be called.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace greenroom {

inline constexpr std::size_t max_key_name = 100;

/// 1 to max_key_name bytes, none of them a control character.
inline bool is_key_name(std::string_view text) noexcept {
  return !text.empty() && text.size() <= max_key_name
         && std::ranges::none_of(text, [](char c) {
              return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
            });
}

/// That, for who gave another one.
inline std::string key_name_rule() {
  return "name must have 1 to " + std::to_string(max_key_name)
         + " bytes, none of them control characters";
}

} // namespace greenroom
