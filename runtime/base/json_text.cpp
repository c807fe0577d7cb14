#include "runtime/base/json_text.hpp"

#include <array>
#include <bit>
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

// Eight bytes, the first of them the highest.
std::uint64_t big_endian(const char* eight) noexcept {
  std::uint64_t x;
  std::memcpy(&x, eight, sizeof x);
  return std::endian::native == std::endian::little ? __builtin_bswap64(x) : x;
}

using sixteen_bytes = unsigned char __attribute__((vector_size(16)));

std::size_t first_set(std::uint64_t eight_bytes) noexcept {
  return static_cast<std::size_t>(std::endian::native == std::endian::little
                                    ? std::countr_zero(eight_bytes)
                                    : std::countl_zero(eight_bytes))
         / 8;
}

// How many of sixteen characters, from the front, need no escape: they are not
// below 0x20, nor '"' or '\\'.
std::size_t plain_of(const char* sixteen) noexcept {
  sixteen_bytes x;
  std::memcpy(&x, sixteen, sizeof x);
  const auto escaped = (x < 0x20) | (x == '"') | (x == '\\');
  std::array<std::uint64_t, 2> found;
  std::memcpy(found.data(), &escaped, sizeof found);
  return found[0] != 0 ? first_set(found[0]) : 8 + first_set(found[1]);
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

bool append_json_string_within(std::string& out, std::string_view utf8,
                               std::size_t most) {
  constexpr char digits[] = "0123456789abcdef";
  constexpr std::size_t longest_escape = 6;
  const auto begin = out.size();
  const char* at = utf8.data();
  const char* const end = at + utf8.size();
  // Gathered here, as what is escaped often comes in runs, or once a line.
  char text[1024];
  std::size_t size = 0;
  auto flush = [&] {
    out.append(text, size);
    size = 0;
    // The rest becomes at least as long as it is.
    const auto rest = static_cast<std::size_t>(end - at);
    if (out.size() - begin - 1 + rest <= most)
      return true;
    out.resize(begin);
    return false;
  };
  out += '"';
  while (at != end) {
    if (size + 16 + longest_escape > sizeof text && !flush())
      return false;
    if (end - at >= 16) {
      std::memcpy(text + size, at, 16);
      const auto plain = plain_of(at);
      size += plain;
      at += plain;
      if (plain == 16)
        continue;
    }
    const char escape = escape_of(*at);
    const char code[] = {
      '\\', escape, '0', '0', digits[(*at >> 4) & 15], digits[*at & 15]};
    if (escape == 0)
      text[size] = *at;
    else
      std::memcpy(text + size, code, sizeof code);
    size += escape == 0 ? 1 : escape == 'u' ? 6 : 2;
    ++at;
  }
  if (!flush())
    return false;
  out += '"';
  return true;
}

void append_json_string(std::string& out, std::string_view utf8) {
  (void)append_json_string_within(out, utf8, out.max_size());
}

void append_base64(std::string& out, std::string_view bytes) {
  auto begin = out.size();
  out.resize(begin + (bytes.size() + 2) / 3 * 4);
  char* to = out.data() + begin;
  std::size_t i = 0;
  // Six bytes at a time, of eight that are read.
  for (; i + 8 <= bytes.size(); i += 6, to += 8) {
    const auto x = big_endian(bytes.data() + i);
    std::memcpy(to, base64_pairs[x >> 52].data(), 2);
    std::memcpy(to + 2, base64_pairs[x >> 40 & 0xfff].data(), 2);
    std::memcpy(to + 4, base64_pairs[x >> 28 & 0xfff].data(), 2);
    std::memcpy(to + 6, base64_pairs[x >> 16 & 0xfff].data(), 2);
  }
  auto put = [&to](std::uint32_t three) {
    std::memcpy(to, base64_pairs[three >> 12].data(), 2);
    std::memcpy(to + 2, base64_pairs[three & 0xfff].data(), 2);
    to += 4;
  };
  auto byte = [&](std::size_t at) -> std::uint32_t {
    return static_cast<unsigned char>(bytes[at]);
  };
  for (; i + 3 <= bytes.size(); i += 3)
    put(byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2));
  const auto rest = bytes.size() - i;
  if (rest == 0)
    return;
  put(byte(i) << 16 | (rest == 2 ? byte(i + 1) << 8 : 0));
  std::memset(to - (3 - rest), '=', 3 - rest);
}

} // namespace greenroom
