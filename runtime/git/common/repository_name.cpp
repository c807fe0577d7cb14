#include "runtime/git/common/repository_name.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace greenroom::git {

namespace {

std::string_view without_end(std::string_view text) {
  constexpr std::string_view suffix = ".git";
  auto drop_slashes = [&] {
    while (text.ends_with('/'))
      text.remove_suffix(1);
  };
  drop_slashes();
  if (text.ends_with(suffix))
    text.remove_suffix(suffix.size());
  drop_slashes();
  return text;
}

std::string on_disk(std::string_view path) {
  std::error_code unknown;
  auto real = std::filesystem::weakly_canonical(path, unknown);
  return std::string{without_end(unknown ? std::string{path} : real.string())};
}

std::string at_host(std::string_view host, std::string_view path) {
  if (auto user = host.rfind('@'); user != host.npos)
    host.remove_prefix(user + 1);
  if (auto port = host.rfind(':');
      port != host.npos && host.find(']', port) == host.npos)
    host = host.substr(0, port);
  std::string result{host};
  std::ranges::transform(result, result.begin(), [](unsigned char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32)
                                : static_cast<char>(c);
  });
  while (path.starts_with('/'))
    path.remove_prefix(1);
  return result + '/' + std::string{without_end(path)};
}

} // namespace

std::string repository_name(std::string_view url) {
  constexpr std::string_view file = "file://";
  constexpr std::string_view mark = "://";
  if (url.starts_with(file))
    return on_disk(url.substr(file.size()));
  if (auto scheme = url.find(mark); scheme != url.npos) {
    auto rest = url.substr(scheme + mark.size());
    auto slash = std::min(rest.find('/'), rest.size());
    return at_host(rest.substr(0, slash), rest.substr(slash));
  }
  // As ssh has it: user@host:path.
  auto colon = url.find(':');
  if (colon != url.npos && url.find('/') > colon)
    return at_host(url.substr(0, colon), url.substr(colon + 1));
  return on_disk(url);
}

} // namespace greenroom::git
