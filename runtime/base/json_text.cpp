#include "runtime/base/json_text.hpp"

#include <array>
#include <cstdint>
#include <cstring>

namespace greenroom {

namespace {

// What stands behind the backslash: 'u' for \u00xx, 0 for no escape at all.
constexpr auto escapes = [] {
  std::array<char, 256> result{};
  for (std::size_t i = 0; i < 0x20; ++i)
    result[i] = 'u';
  result['\b'] = 'b';
  result['\t'] = 't';
  result['\n'] = 'n';
  result['\f'] = 'f';
  result['\r'] = 'r';
  result['"'] = '"';
  result['\\'] = '\\';
  return result;
}();

char escape_of(char c) noexcept {
  return escapes[static_cast<unsigned char>(c)];
}

// True if one of eight characters needs an escape: below 0x20, '"' or '\\'.
// Per byte, (x - n) & ~x & 0x80 is set when x < n; a borrow may set it for the
// byte above one that is, so a hit is certain but its place is not.
bool any_escape(const char* eight) noexcept {
  constexpr std::uint64_t ones = 0x0101010101010101;
  constexpr std::uint64_t tops = 0x8080808080808080;
  std::uint64_t x;
  std::memcpy(&x, eight, sizeof x);
  const auto quote = x ^ (ones * '"');
  const auto slash = x ^ (ones * '\\');
  return (((x - ones * 0x20) & ~x) | ((quote - ones) & ~quote)
          | ((slash - ones) & ~slash))
         & tops;
}

// Twelve bits of base64 at a time.
constexpr auto base64_pairs = [] {
  constexpr char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::array<std::array<char, 2>, 4096> result{};
  for (std::size_t i = 0; i < result.size(); ++i)
    result[i] = {digits[i >> 6], digits[i & 63]};
  return result;
}();

} // namespace

void append_json_string(std::string& out, std::string_view utf8) {
  constexpr char digits[] = "0123456789abcdef";
  out += '"';
  const char* at = utf8.data();
  const char* const end = at + utf8.size();
  while (at != end) {
    const char* plain = at;
    while (end - at >= 8 && !any_escape(at))
      at += 8;
    while (at != end && escape_of(*at) == 0)
      ++at;
    out.append(plain, at);
    // What is escaped often comes in runs: binary data, colours, blank lines.
    char text[384];
    std::size_t size = 0;
    for (; at != end && size + 6 <= sizeof text; ++at) {
      const char escape = escape_of(*at);
      if (escape == 0)
        break;
      const char code[] = {
        '\\', escape, '0', '0', digits[(*at >> 4) & 15], digits[*at & 15]};
      std::memcpy(text + size, code, sizeof code);
      size += escape == 'u' ? 6 : 2;
    }
    out.append(text, size);
  }
  out += '"';
}

void append_base64(std::string& out, std::string_view bytes) {
  auto begin = out.size();
  out.resize(begin + (bytes.size() + 2) / 3 * 4);
  char* to = out.data() + begin;
  auto put = [&to](std::uint32_t three) {
    std::memcpy(to, base64_pairs[three >> 12].data(), 2);
    std::memcpy(to + 2, base64_pairs[three & 0xfff].data(), 2);
    to += 4;
  };
  auto byte = [&](std::size_t i) -> std::uint32_t {
    return static_cast<unsigned char>(bytes[i]);
  };
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3)
    put(byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2));
  const auto rest = bytes.size() - i;
  if (rest == 0)
    return;
  put(byte(i) << 16 | (rest == 2 ? byte(i + 1) << 8 : 0));
  std::memset(to - (3 - rest), '=', 3 - rest);
}

} // namespace greenroom
