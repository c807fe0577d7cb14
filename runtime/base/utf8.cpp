#include "runtime/base/utf8.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace greenroom {

namespace {

// What a first byte promises: how long its character is, and between what its
// second byte must lie. Length 0: not a first byte of several.
struct lead {
  std::size_t length = 0;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xbf;
};

constexpr lead lead_of(std::uint8_t byte) noexcept {
  if (byte < 0xc2 || byte > 0xf4)
    return {};
  if (byte < 0xe0)
    return {2};
  if (byte < 0xf0)
    return byte == 0xe0   ? lead{3, 0xa0, 0xbf}
           : byte == 0xed ? lead{3, 0x80, 0x9f}
                          : lead{3};
  return byte == 0xf0   ? lead{4, 0x90, 0xbf}
         : byte == 0xf4 ? lead{4, 0x80, 0x8f}
                        : lead{4};
}

std::uint8_t byte_at(std::string_view bytes, std::size_t i) noexcept {
  return static_cast<std::uint8_t>(bytes[i]);
}

// How many bytes from the front are one multi-byte character or the beginning
// of one; `first` is what the first byte promises.
std::size_t matching(std::string_view bytes, const lead& first) noexcept {
  const auto most = std::min(bytes.size(), first.length);
  std::size_t n = 1;
  while (n < most) {
    const auto byte = byte_at(bytes, n);
    const bool fits =
      n == 1 ? byte >= first.low && byte <= first.high : (byte & 0xc0) == 0x80;
    if (!fits)
      break;
    ++n;
  }
  return n;
}

// True if that many times eight bytes follow, and all are ASCII.
template <std::size_t Eights>
bool are_ascii(std::string_view bytes) noexcept {
  std::array<std::uint64_t, Eights> eights;
  if (bytes.size() < sizeof eights)
    return false;
  std::memcpy(eights.data(), bytes.data(), sizeof eights);
  std::uint64_t all = 0;
  for (auto one : eights)
    all |= one;
  return (all & 0x8080808080808080) == 0;
}

} // namespace

bool is_utf8(std::string_view bytes) noexcept {
  std::size_t i = 0;
  while (i < bytes.size()) {
    // Most is ASCII, and long.
    if (are_ascii<4>(bytes.substr(i))) {
      i += 32;
      continue;
    }
    if (are_ascii<1>(bytes.substr(i))) {
      i += 8;
      continue;
    }
    if (byte_at(bytes, i) < 0x80) {
      ++i;
      continue;
    }
    const auto first = lead_of(byte_at(bytes, i));
    if (first.length == 0 || matching(bytes.substr(i), first) < first.length)
      return false;
    i += first.length;
  }
  return true;
}

std::size_t incomplete_tail(std::string_view bytes) noexcept {
  const auto most = std::min<std::size_t>(bytes.size(), 3);
  for (std::size_t n = 1; n <= most; ++n) {
    const auto tail = bytes.substr(bytes.size() - n);
    if ((byte_at(tail, 0) & 0xc0) == 0x80)
      continue;
    const auto first = lead_of(byte_at(tail, 0));
    return first.length > n && matching(tail, first) == n ? n : 0;
  }
  return 0;
}

} // namespace greenroom
