#include "runtime/sandbox/system_accounts.hpp"

#include "runtime/base/session_user.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

namespace greenroom::sandbox {

namespace {

constexpr std::uint32_t overflow_id = 65534;
constexpr std::uint32_t first_of_people = 1000;

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> result;
  for (;;) {
    auto end = text.find(at);
    result.push_back(text.substr(0, end));
    if (end == text.npos)
      return result;
    text.remove_prefix(end + 1);
  }
}

// Nothing but digits.
std::optional<std::uint32_t> account_id(std::string_view text) {
  std::uint32_t result = 0;
  const auto* end = text.data() + text.size();
  auto read = std::from_chars(text.data(), end, result);
  if (text.empty() || read.ec != std::errc{} || read.ptr != end)
    return std::nullopt;
  return result;
}

// root is told by ourselves; another name for it may be a person's.
bool is_of_system(std::string_view id) {
  auto number = account_id(id);
  return number
         && ((*number > 0 && *number < first_of_people)
             || *number == overflow_id);
}

// Not the lines by which other directories are included ("+", "-name").
bool is_account_name(std::string_view name) {
  auto is_fine = [](unsigned char c) {
    return c > ' ' && c < 0x7f && c != '/';
  };
  return !name.empty() && !name.starts_with('+') && !name.starts_with('-')
         && !name.starts_with('#') && std::ranges::all_of(name, is_fine);
}

// Also without a home of its own.
std::string_view home_to_tell(std::string_view home) {
  return home.starts_with("/home/") || !home.starts_with('/') ? "/nonexistent"
                                                              : home;
}

} // namespace

std::string passwd_inside(std::string_view of_host) {
  const auto own = std::to_string(user_inside);
  auto result = "root:x:0:0:root:/root:/usr/sbin/nologin\n"
                "greenroom:x:"
                + own + ':' + own
                + ":session:/home/greenroom:/bin/bash\n"
                  "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n";
  std::set<std::string_view> taken{"root", "greenroom", "nobody"};
  for (auto line : split(of_host, '\n')) {
    auto part = split(line, ':');
    if (part.size() != 7 || !is_of_system(part[2]) || !account_id(part[3])
        || !is_account_name(part[0]) || !taken.insert(part[0]).second)
      continue;
    result.append(part[0]).append(":x:").append(part[2]).append(":");
    result.append(part[3]).append("::").append(home_to_tell(part[5]));
    result.append(":").append(part[6]).append("\n");
  }
  return result;
}

std::string group_inside(std::string_view of_host) {
  auto result = "root:x:0:\ngreenroom:x:" + std::to_string(user_inside)
                + ":\nnogroup:x:65534:\n";
  std::set<std::string_view> taken{"root", "greenroom", "nogroup"};
  for (auto line : split(of_host, '\n')) {
    auto part = split(line, ':');
    if (part.size() != 4 || !is_of_system(part[2]) || !is_account_name(part[0])
        || !taken.insert(part[0]).second)
      continue;
    result.append(part[0]).append(":x:").append(part[2]).append(":\n");
  }
  return result;
}

} // namespace greenroom::sandbox
