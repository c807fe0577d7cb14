// Input as nobody meant it, for fuzzers.
#pragma once

#include <cstddef>
#include <random>
#include <string>
#include <string_view>

namespace greenroom::test {

/// The text with up to `most` changes: bytes of the alphabet in place of others
/// or between them, bytes left out, pieces of itself twice, its end cut off.
/// Never empty.
inline std::string mutated(std::string text, std::mt19937& random,
                           std::string_view alphabet, unsigned most = 5) {
  for (auto changes = random() % (most + 1); changes > 0; --changes) {
    if (text.empty())
      break;
    auto at = random() % text.size();
    switch (random() % 5) {
      case 0:
        text[at] = alphabet[random() % alphabet.size()];
        break;
      case 1:
        text.erase(at, 1 + random() % 4);
        break;
      case 2:
        text.insert(at, 1, alphabet[random() % alphabet.size()]);
        break;
      case 3:
        text.insert(at, text.substr(random() % text.size(), random() % 60));
        break;
      default:
        text.resize(at);
    }
  }
  return text.empty() ? "x" : text;
}

} // namespace greenroom::test
