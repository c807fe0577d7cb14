#include "http/wire/message.hpp"

#include "runtime/base/ascii.hpp"

#include <algorithm>

namespace greenroom::http::wire {

namespace {

std::string_view trimmed(std::string_view text) noexcept {
  auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back()))
    text.remove_suffix(1);
  return text;
}

bool list_has(std::string_view list, std::string_view token) noexcept {
  while (!list.empty()) {
    auto comma = std::min(list.find(','), list.size());
    if (equal_caseless(trimmed(list.substr(0, comma)), token))
      return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

} // namespace

bool equal_caseless(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, {}, ascii_lower, ascii_lower);
}

std::string_view header_list::get(std::string_view name) const noexcept {
  for (auto& one : all_)
    if (equal_caseless(one.name, name))
      return one.value;
  return {};
}

std::size_t header_list::count(std::string_view name) const noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(
    all_, [&](auto& one) { return equal_caseless(one.name, name); }));
}

void header_list::remove(std::string_view name) {
  std::erase_if(all_,
                [&](auto& one) { return equal_caseless(one.name, name); });
}

bool header_list::has_token(std::string_view name,
                            std::string_view token) const noexcept {
  return std::ranges::any_of(all_, [&](auto& one) {
    return equal_caseless(one.name, name) && list_has(one.value, token);
  });
}

std::string_view message_head::upgrade() const noexcept {
  return !old && headers.has_token("Connection", "upgrade")
           ? headers.get("Upgrade")
           : std::string_view{};
}

} // namespace greenroom::http::wire
