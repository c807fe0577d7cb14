// Names of HTTP fields, whose case means nothing.
#pragma once

#include <algorithm>
#include <cctype>
#include <string>

namespace greenroom::test {

inline std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return text;
}

} // namespace greenroom::test
