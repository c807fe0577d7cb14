// Words that are to be pasted into a shell.
#pragma once

#include <string>
#include <string_view>

namespace greenroom {

/// One word, whatever is in it.
inline std::string for_shell(std::string_view text) {
  std::string result = "'";
  for (auto c : text)
    result += c == '\'' ? std::string{"'\\''"} : std::string{c};
  return result + '\'';
}

} // namespace greenroom
