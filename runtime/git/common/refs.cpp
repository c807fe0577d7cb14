#include "runtime/git/common/refs.hpp"

#include <algorithm>
#include <utility>

namespace greenroom::git {

namespace {

using namespace std::string_view_literals;

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

// The length of the UTF-8 character at the start of `text`; 0 if there is
// none. Overlong forms, surrogates and what is above U+10FFFF are none.
std::size_t character_length(std::string_view text) {
  auto at = [&](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  auto tail = [&](std::size_t count) {
    for (std::size_t i = 1; i <= count; ++i)
      if ((at(i) & 0xc0) != 0x80)
        return false;
    return true;
  };
  auto lead = at(0);
  if (lead < 0x80)
    return 1;
  if (lead >= 0xc2 && lead <= 0xdf)
    return tail(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    auto bad = (lead == 0xe0 && at(1) < 0xa0) || (lead == 0xed && at(1) > 0x9f);
    return !bad && tail(2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    auto bad = (lead == 0xf0 && at(1) < 0x90) || (lead == 0xf4 && at(1) > 0x8f);
    return !bad && tail(3) ? 4 : 0;
  }
  return 0;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    auto length = character_length(text);
    if (length == 0)
      return false;
    text.remove_prefix(length);
  }
  return true;
}

std::optional<std::string> component_fault(std::string_view part) {
  if (part.empty())
    return "must not start or end with '/' or contain \"//\"";
  if (part.front() == '.')
    return "must not have a part that starts with '.'";
  if (part.ends_with(".lock"))
    return "must not have a part that ends with \".lock\"";
  if (part.size() > max_name_part)
    return "must not have a part of more than " + std::to_string(max_name_part)
           + " bytes between slashes, which git cannot keep as a file";
  return std::nullopt;
}

// What stands after an URL's scheme. With ssh the user is no secret, and
// neither it nor the host may read as an option of ssh's.
std::optional<std::string> authority_fault(std::string_view rest, bool ssh) {
  auto end = std::min(rest.find_first_of("/?#"), rest.size());
  auto host = rest.substr(0, end);
  if (auto sign = host.rfind('@'); sign != host.npos) {
    auto user = host.substr(0, sign);
    if (!ssh || user.find_first_of(":@") != user.npos)
      return ssh ? "must not hold a password"
                 : "must not hold a user name or password";
    if (user.empty() || user.front() == '-')
      return "must name a user before '@'";
    host.remove_prefix(sign + 1);
  }
  if (host.empty() || host.front() == '-' || host.front() == ':')
    return "must name a host";
  if (ssh && end == rest.size())
    return "must have a path after the host";
  return std::nullopt;
}

} // namespace

std::optional<std::string> name_fault(std::string_view name) {
  if (name.empty())
    return "must not be empty";
  if (name.size() > max_name)
    return "must be at most " + std::to_string(max_name) + " bytes long";
  if (!is_utf8(name))
    return "must be valid UTF-8";
  if (std::any_of(name.begin(), name.end(), is_control)
      || name.find_first_of(" ~^:?*[\\") != name.npos)
    return "must not contain spaces, control characters or any of ~^:?*[\\";
  if (name.front() == '-')
    return "must not start with '-'";
  if (name == "HEAD" || name == "@")
    return "must not be \"" + std::string{name} + '"';
  if (name.starts_with("refs/"))
    return "must not start with \"refs/\"";
  for (auto part : {".."sv, "@{"sv})
    if (name.find(part) != name.npos)
      return "must not contain \"" + std::string{part} + '"';
  if (name.back() == '.')
    return "must not end with '.'";
  for (std::size_t begin = 0; begin <= name.size();) {
    auto end = std::min(name.find('/', begin), name.size());
    if (auto fault = component_fault(name.substr(begin, end - begin)))
      return fault;
    begin = end + 1;
  }
  return std::nullopt;
}

std::optional<std::string> ref_fault(std::string_view name) {
  constexpr std::string_view space = "refs/";
  if (!name.starts_with(space))
    return name_fault(name);
  // A branch may be called so.
  while (name.starts_with(space))
    name.remove_prefix(space.size());
  if (auto fault = name_fault(name))
    return fault;
  if (name == "heads" || name == "tags" || name == "remotes")
    return "must name what is below \"refs/" + std::string{name} + '"';
  return std::nullopt;
}

bool are_beside(std::string_view a, std::string_view b) {
  if (a.size() > b.size())
    std::swap(a, b);
  return a.size() < b.size() && b.starts_with(a) && b[a.size()] == '/';
}

std::optional<std::string> upstream_fault(std::string_view upstream) {
  if (!is_utf8(upstream)
      || std::any_of(upstream.begin(), upstream.end(), is_control))
    return "must be valid UTF-8 without control characters";
  // A plain path is what git would not take for anything else.
  if (upstream.starts_with('/') || upstream.starts_with("file:///"))
    return std::nullopt;
  for (auto scheme : {"http://"sv, "https://"sv, "ssh://"sv})
    if (upstream.starts_with(scheme))
      return authority_fault(upstream.substr(scheme.size()),
                             scheme == "ssh://"sv);
  return "must be an absolute path or a file://, http://, https:// or ssh:// "
         "URL";
}

std::string without_credentials(std::string text) {
  const std::string_view all = text;
  std::string result;
  std::size_t done = 0; // so much of it is in the result
  for (auto at = all.find("://"); at != all.npos; at = all.find("://", at)) {
    at += 3;
    auto end = std::min(all.find_first_of("/?# \t\n'\"", at), all.size());
    auto sign = all.substr(at, end - at).rfind('@');
    if (sign == all.npos)
      continue;
    result += all.substr(done, at - done);
    result += "***";
    done = at + sign;
  }
  result += all.substr(done);
  return result;
}

} // namespace greenroom::git
