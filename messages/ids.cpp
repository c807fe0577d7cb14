#include "messages/ids.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <system_error>

namespace greenroom {

namespace {

constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";

void fill_random(std::span<unsigned char> out) {
  while (!out.empty()) {
    auto got = ::getrandom(out.data(), out.size(), 0);
    if (got < 0) {
      if (errno == EINTR)
        continue;
      throw std::system_error(errno, std::generic_category(), "getrandom");
    }
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

bool is_lower_or_digit(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

} // namespace

std::string make_id() {
  std::string result;
  result.reserve(id_length);
  std::array<unsigned char, 32> bytes;
  // 252 is the largest multiple of 36 in a byte: what lies above would favour
  // the first letters, so it is thrown away.
  while (result.size() < id_length) {
    fill_random(bytes);
    for (auto byte : bytes)
      if (byte < 252 && result.size() < id_length)
        result.push_back(alphabet[byte % alphabet.size()]);
  }
  return result;
}

bool is_id(std::string_view text) noexcept {
  return text.size() == id_length
         && std::ranges::all_of(text, is_lower_or_digit);
}

bool is_exec_id(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 64
         && std::ranges::all_of(text, [](char c) {
              return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '_'
                     || c == '-';
            });
}

bool is_project_id(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 63 && text.front() != '-'
         && text.back() != '-' && std::ranges::all_of(text, [](char c) {
              return is_lower_or_digit(c) || c == '-';
            });
}

std::string checkout_id(std::string_view session_id) {
  return "co-" + std::string{session_id};
}

std::string random_hex(std::size_t size) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string bytes(size, '\0');
  fill_random({reinterpret_cast<unsigned char*>(bytes.data()), bytes.size()});
  std::string result;
  result.reserve(size * 2);
  for (unsigned char byte : bytes) {
    result.push_back(digits[byte >> 4]);
    result.push_back(digits[byte & 15]);
  }
  return result;
}

} // namespace greenroom
