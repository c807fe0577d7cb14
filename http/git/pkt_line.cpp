#include "http/git/pkt_line.hpp"

#include <charconv>

namespace greenroom::http::git_http {

namespace {

constexpr std::size_t length_size = 4;

} // namespace

std::optional<packet> first_packet(std::string_view bytes) {
  if (bytes.size() < length_size)
    return std::nullopt;
  std::size_t size = 0;
  auto end = bytes.data() + length_size;
  auto [at, error] = std::from_chars(bytes.data(), end, size, 16);
  if (error != std::errc{} || at != end || size == 3 || size > max_packet)
    throw bad_packet{};
  if (size < length_size)
    return packet{{}, true, length_size};
  if (bytes.size() < size)
    return std::nullopt;
  return packet{bytes.substr(length_size, size - length_size), false, size};
}

std::string make_packet(std::string_view payload) {
  constexpr std::string_view digits = "0123456789abcdef";
  auto size = payload.size() + length_size;
  if (size > max_packet)
    throw std::length_error("a packet is too long");
  std::string result;
  result.reserve(size);
  for (auto shift : {12, 8, 4, 0})
    result += digits[(size >> shift) & 15];
  return result.append(payload);
}

std::string_view without_line_break(std::string_view payload) noexcept {
  if (payload.ends_with('\n'))
    payload.remove_suffix(1);
  return payload;
}

} // namespace greenroom::http::git_http
