#include "http/client/forms.hpp"

#include "http/client/errors.hpp"
#include "messages/events.hpp"
#include "messages/ids.hpp"
#include "messages/records.hpp"
#include "messages/webhooks.hpp"
#include "runtime/base/durations.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <iterator>
#include <string_view>
#include <vector>

namespace greenroom::http::client::form {

namespace {

using names = std::vector<std::string_view>;

// runtime/auth/scopes.hpp, which is the server's.
constexpr std::array<std::string_view, 6> scopes{
  "sessions:read",    "sessions:execute", "projects:read",
  "projects:execute", "metrics:read",     "admin"};

constexpr int last_signal = 64;

std::string wrong(const std::string& wanted, const std::string& text) {
  return "must be " + wanted + ", not \"" + text + '"';
}

std::string one_of(const names& known, const std::string& text) {
  if (std::ranges::find(known, text) != known.end())
    return {};
  std::string list;
  for (std::size_t i = 0; i < known.size(); ++i)
    list += (i == 0                  ? ""
             : i + 1 == known.size() ? " or "
                                     : ", ")
            + std::string{known[i]};
  return wrong(list, text);
}

/// From the first to this one.
template <class Enum>
names names_until(Enum last) {
  names result;
  for (std::size_t i = 0; i <= static_cast<std::size_t>(last); ++i)
    result.push_back(to_string(static_cast<Enum>(i)));
  return result;
}

template <class Number>
bool is_number(std::string_view text, Number least, Number most) {
  Number number{};
  const auto* end = text.data() + text.size();
  auto [rest, problem] = std::from_chars(text.data(), end, number);
  return problem == std::errc{} && rest == end && number >= least
         && number <= most;
}

bool is_exec_goal(std::string_view text) {
  constexpr std::string_view start = "exec:";
  constexpr std::string_view end = ":exited";
  return text.size() > start.size() + end.size() && text.starts_with(start)
         && text.ends_with(end)
         && is_exec_id(
           text.substr(start.size(), text.size() - start.size() - end.size()));
}

bool is_letter(char c) noexcept {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

} // namespace

std::string duration(const std::string& text) {
  return parse_duration(text) ? std::string{}
                              : wrong("a duration like 90s, 1h30m or 7d", text);
}

std::string lifetime(const std::string& text) {
  switch (parse_expiry(text).verdict) {
    case expiry_verdict::ok:
      return {};
    case expiry_verdict::too_long:
      return wrong("no longer than 30 days", text);
    case expiry_verdict::invalid:
      break;
  }
  return wrong("a duration like 90m or 24h, or whole days from 1d to 30d",
               text);
}

std::string project(const std::string& text) {
  return is_project_id(text)
           ? std::string{}
           : wrong("a project's id: up to 63 lower-case letters, digits and - "
                   "within",
                   text);
}

std::string session_status(const std::string& text) {
  return one_of(names_until(greenroom::session_status::failed), text);
}

std::string review_status(const std::string& text) {
  return one_of(names_until(greenroom::review_status::failed), text);
}

std::string delivery_status(const std::string& text) {
  return one_of(names_until(delivery_state::failed), text);
}

std::string goal(const std::string& text) {
  constexpr std::string_view port = "port:";
  constexpr std::array<std::string_view, 4> words{"setup:done", "preview:ready",
                                                  "review:finished", "ended"};
  if (std::ranges::find(words, text) != words.end() || is_exec_goal(text)
      || (text.starts_with(port)
          && is_number(std::string_view{text}.substr(port.size()), 1, 65535)))
    return {};
  return wrong("exec:ID:exited, setup:done, port:N, preview:ready, "
               "review:finished or ended",
               text);
}

std::string event_types(const std::string& text) {
  auto known = names_until(static_cast<event_kind>(event_kind_count - 1));
  known.push_back(webhook_disabled);
  for (std::size_t at = 0; at <= text.size();) {
    auto end = std::min(text.find(',', at), text.size());
    if (auto fault = one_of(known, text.substr(at, end - at)); !fault.empty())
      return fault;
    at = end + 1;
  }
  return {};
}

std::string event_place(const std::string& text) {
  event_id id;
  return text == "earliest" || text == "now" || parse(text, id)
           ? std::string{}
           : wrong("earliest, now or an event's id like 3-17", text);
}

std::string webhook_type(const std::string& text) {
  return one_of({std::begin(webhook_types), std::end(webhook_types)}, text);
}

std::string scope(const std::string& text) {
  return one_of({scopes.begin(), scopes.end()}, text);
}

std::string signal(const std::string& text) {
  if (is_number(text, 1, last_signal))
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
