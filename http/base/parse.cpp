#include "http/base/parse.hpp"

#include "messages/errors.hpp"
#include "runtime/base/ascii.hpp"
#include "runtime/base/utf8.hpp"

#include <algorithm>
#include <charconv>

namespace greenroom::http {

namespace {

std::string decoded_part(std::string_view text) {
  auto result = percent_decode(text, true);
  if (!result || !is_utf8(*result) || result->find('\0') != std::string::npos)
    refuse("the query is malformed");
  return std::move(*result);
}

} // namespace

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

bool is_same_word(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, {}, ascii_lower, ascii_lower);
}

std::string_view trimmed(std::string_view text) noexcept {
  auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && blank(text.back()))
    text.remove_suffix(1);
  return text;
}

std::optional<std::uint64_t> parse_count(std::string_view text) noexcept {
  std::uint64_t value = 0;
  auto end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end)
    return std::nullopt;
  return value;
}

std::optional<std::string> percent_decode(std::string_view text,
                                          bool plus_is_space) {
  if (text.find('%') == text.npos
      && (!plus_is_space || text.find('+') == text.npos))
    return std::string{text};
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (text.size() - i < 3)
        return std::nullopt;
      auto high = hex_value(text[i + 1]);
      auto low = hex_value(text[i + 2]);
      if (high < 0 || low < 0)
        return std::nullopt;
      result.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else if (plus_is_space && text[i] == '+') {
      result.push_back(' ');
    } else {
      result.push_back(text[i]);
    }
  }
  return result;
}

path_segments split_path(std::string_view path) noexcept {
  path_segments result;
  if (path.empty() || path.front() != '/')
    return result;
  path.remove_prefix(1);
  for (;;) {
    if (result.count == path_segments::limit) {
      result.count = 0;
      return result;
    }
    auto slash = path.find('/');
    result.items[result.count++] = path.substr(0, slash);
    if (slash == std::string_view::npos)
      return result;
    path.remove_prefix(slash + 1);
  }
}

query_params::query_params(std::string_view query) {
  while (!query.empty()) {
    auto end = query.find('&');
    auto item = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    if (item.empty())
      continue;
    auto equals = item.find('=');
    auto value = equals == std::string_view::npos ? std::string_view{}
                                                  : item.substr(equals + 1);
    items_.emplace_back(decoded_part(item.substr(0, equals)),
                        decoded_part(value));
  }
}

std::optional<std::string_view>
query_params::get(std::string_view name) const noexcept {
  for (auto& [key, value] : items_)
    if (key == name)
      return value;
  return std::nullopt;
}

std::optional<std::string>
query_params::stranger(std::string_view known) const {
  for (auto& [key, value] : items_)
    if (key.find(',') != std::string::npos || !offers(known, key))
      return key;
  return std::nullopt;
}

std::string query_params::text(std::string_view name) const {
  return std::string{get(name).value_or(std::string_view{})};
}

bool query_params::flag(std::string_view name) const {
  auto value = get(name).value_or("0");
  if (value != "1" && value != "true" && value != "0" && value != "false")
    refuse(std::string{name} + " must be true or false");
  return value == "1" || value == "true";
}

std::uint32_t query_params::limit() const {
  auto text = get("limit");
  if (!text)
    return 0;
  auto value = parse_count(*text);
  if (!value || *value < 1 || *value > 200)
    refuse("limit must be a whole number from 1 to 200");
  return static_cast<std::uint32_t>(*value);
}

std::string_view secret_of(std::string_view authorization,
                           std::string_view api_key) noexcept {
  constexpr std::string_view scheme = "bearer ";
  if (authorization.size() > scheme.size()
      && is_same_word(authorization.substr(0, scheme.size()), scheme))
    return trimmed(authorization.substr(scheme.size()));
  return trimmed(api_key);
}

std::string_view login_of(std::string_view cookies) noexcept {
  while (!cookies.empty()) {
    auto end = cookies.find(';');
    auto one = trimmed(cookies.substr(0, end));
    if (one.starts_with(login_cookie) && one.size() > login_cookie.size()
        && one[login_cookie.size()] == '=')
      return one.substr(login_cookie.size() + 1);
    cookies.remove_prefix(end == cookies.npos ? cookies.size() : end + 1);
  }
  return {};
}

namespace {

/// Calls `f` with each item of a comma-separated list until it returns true.
template <class F>
bool any_item(std::string_view list, F f) {
  for (;;) {
    auto comma = list.find(',');
    if (f(trimmed(list.substr(0, comma))))
      return true;
    if (comma == std::string_view::npos)
      return false;
    list.remove_prefix(comma + 1);
  }
}

std::string_view without_default_port(std::string_view origin) noexcept {
  auto cut = [&](std::string_view scheme, std::string_view port) {
    if (origin.size() > scheme.size() && origin.ends_with(port)
        && is_same_word(origin.substr(0, scheme.size()), scheme))
      origin.remove_suffix(port.size());
  };
  cut("http://", ":80");
  cut("https://", ":443");
  return origin;
}

} // namespace

std::string_view secret_of_protocols(std::string_view list) noexcept {
  std::string_view secret;
  any_item(list, [&](std::string_view item) {
    constexpr std::string_view prefix = "bearer.";
    if (item.starts_with(prefix))
      secret = item.substr(prefix.size());
    return !secret.empty();
  });
  return secret;
}

bool offers(std::string_view list, std::string_view name) noexcept {
  return any_item(list, [&](std::string_view item) { return item == name; });
}

bool is_same_origin(std::string_view a, std::string_view b) noexcept {
  return is_same_word(without_default_port(a), without_default_port(b));
}

std::optional<byte_range> parse_range(std::string_view text,
                                      std::uint64_t total) noexcept {
  constexpr std::string_view unit = "bytes=";
  if (text.size() < unit.size()
      || !is_same_word(text.substr(0, unit.size()), unit))
    return std::nullopt;
  text = trimmed(text.substr(unit.size()));
  auto dash = text.find('-');
  if (dash == std::string_view::npos)
    return std::nullopt;
  auto first = text.substr(0, dash);
  auto last = text.substr(dash + 1);
  if (first.empty()) {
    auto length = parse_count(last);
    if (!length)
      return std::nullopt;
    return byte_range{total - std::min(total, *length), total};
  }
  auto begin = parse_count(first);
  if (!begin)
    return std::nullopt;
  auto end = total;
  if (!last.empty()) {
    auto inclusive = parse_count(last);
    if (!inclusive || *inclusive < *begin)
      return std::nullopt;
    if (*inclusive < total)
      end = *inclusive + 1;
  }
  if (*begin >= total)
    return byte_range{};
  return byte_range{*begin, end};
}

bool is_visible_ascii(std::string_view text, std::size_t max) noexcept {
  return !text.empty() && text.size() <= max
         && std::ranges::all_of(text, [](char c) { return c > 32 && c < 127; });
}

bool is_sane_request_id(std::string_view text) noexcept {
  return is_visible_ascii(text, 128);
}

bool is_json_type(std::string_view content_type) noexcept {
  return is_same_word(trimmed(content_type.substr(0, content_type.find(';'))),
                      "application/json");
}

} // namespace greenroom::http
