#include "http/base/authorization.hpp"

#include "http/base/parse.hpp"

#include <algorithm>

namespace greenroom::http {

namespace {

std::optional<unsigned> sextet(char c) noexcept {
  constexpr std::string_view digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  auto at = digits.find(c);
  if (at == std::string_view::npos)
    return std::nullopt;
  return static_cast<unsigned>(at);
}

std::string decode_base64(std::string_view text) {
  std::string result;
  unsigned bits = 0;
  unsigned count = 0;
  for (auto c : text.substr(0, text.find('='))) {
    auto value = sextet(c);
    if (!value)
      return {};
    bits = (bits << 6) | *value;
    count += 6;
    if (count >= 8) {
      count -= 8;
      result += static_cast<char>((bits >> count) & 0xff);
    }
  }
  return result;
}

} // namespace

std::optional<std::string_view> after_scheme(std::string_view authorization,
                                             std::string_view scheme) noexcept {
  if (authorization.size() <= scheme.size()
      || authorization[scheme.size()] != ' '
      || !is_same_word(authorization.substr(0, scheme.size()), scheme))
    return std::nullopt;
  authorization.remove_prefix(scheme.size());
  while (authorization.starts_with(' '))
    authorization.remove_prefix(1);
  return authorization;
}

std::optional<basic_credentials> read_basic(std::string_view authorization) {
  const auto encoded = after_scheme(authorization, "basic");
  if (!encoded)
    return std::nullopt;
  const auto pair = decode_base64(*encoded);
  const auto colon = std::min(pair.find(':'), pair.size());
  return basic_credentials{pair.substr(0, colon),
                           pair.substr(std::min(colon + 1, pair.size()))};
}

} // namespace greenroom::http
