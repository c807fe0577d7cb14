#include "http/client/forms.hpp"

#include "http/client/errors.hpp"
#include "messages/ids.hpp"
#include "runtime/base/durations.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string_view>

namespace greenroom::http::client::form {

namespace {

constexpr int last_signal = 64;

std::string wrong(const std::string& wanted, const std::string& text) {
  return "must be " + wanted + ", not \"" + text + '"';
}

bool is_signal_number(std::string_view text) {
  int number = 0;
  const auto* end = text.data() + text.size();
  auto [rest, problem] = std::from_chars(text.data(), end, number);
  return problem == std::errc{} && rest == end && number >= 1
         && number <= last_signal;
}

bool is_letter(char c) noexcept {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

} // namespace

std::string duration(const std::string& text) {
  return parse_duration(text) ? std::string{}
                              : wrong("a duration like 90s, 1h30m or 7d", text);
}

std::string project(const std::string& text) {
  return is_project_id(text)
           ? std::string{}
           : wrong("a project's id: up to 63 lower-case letters, digits and - "
                   "within",
                   text);
}

std::string signal(const std::string& text) {
  if (is_signal_number(text))
    return {};
  auto name = text.starts_with("SIG") ? text.substr(3) : text;
  for (int number = 1; number <= last_signal; ++number)
    if (const auto* known = ::sigabbrev_np(number);
        known != nullptr && name == known)
      return {};
  return wrong("the name of a signal, like INT, or a number from 1 to 64",
               text);
}

std::string http_url(const std::string& text) {
  for (std::string_view start : {"https://", "http://"})
    if (text.size() > start.size() && text.starts_with(start))
      return {};
  return wrong("http(s)://HOST[:PORT][/PATH]", text);
}

std::string variable(const std::string& text) {
  auto name = std::string_view{text}.substr(0, text.find('='));
  if (name.size() < text.size() && !name.empty() && is_letter(name.front())
      && std::ranges::all_of(
        name, [](char c) { return is_letter(c) || (c >= '0' && c <= '9'); }))
    return {};
  // The value may be a secret.
  return wrong("NAME=VALUE, the name of letters, digits and _",
               std::string{name});
}

void require(const std::string& name, const std::string& fault) {
  if (!fault.empty())
    throw usage_error(name + ' ' + fault);
}

} // namespace greenroom::http::client::form
