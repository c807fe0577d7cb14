#include "http/client/printable.hpp"

#include <array>
#include <cstddef>
#include <cstdio>

namespace greenroom::http::client {

namespace {

// How many bytes at the beginning are one control character, or one that turns
// the direction of text; 0: none. JSON is always good UTF-8.
std::size_t steering_bytes(std::string_view text) {
  auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  if (byte(0) < 0x20 || byte(0) == 0x7f)
    return 1;
  if (byte(0) == 0xc2 && byte(1) >= 0x80 && byte(1) <= 0x9f) // C1
    return 2;
  auto turns = byte(0) == 0xe2
               && ((byte(1) == 0x80 && byte(2) >= 0xaa && byte(2) <= 0xae)
                   || (byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9));
  return turns ? 3 : 0;
}

} // namespace

std::string printable(std::string_view text, std::string_view as_they_are) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    auto c = static_cast<unsigned char>(text[at]);
    auto size = as_they_are.find(text[at]) != as_they_are.npos
                  ? 0
                  : steering_bytes(text.substr(at));
    if (size == 0)
      result += text[at++];
    else if (size == 1 && c == '\n')
      result += "\\n";
    else if (size == 1 && c == '\t')
      result += "\\t";
    else
      for (auto one : text.substr(at, size)) {
        std::array<char, 5> hex{};
        std::snprintf(hex.data(), hex.size(), "\\x%02x",
                      static_cast<unsigned char>(one));
        result += hex.data();
      }
    at += size;
  }
  return result;
}

} // namespace greenroom::http::client
