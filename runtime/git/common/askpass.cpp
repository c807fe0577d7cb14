#include "runtime/git/common/askpass.hpp"

#include "runtime/base/files.hpp"

#include <array>
#include <cstdlib>

namespace greenroom::git {

namespace {

// "https://user@host:8443" without "user@".
std::string origin_of(std::string_view url) {
  auto begin = url.find("://");
  if (begin == url.npos)
    return {};
  begin += 3;
  auto sign = url.rfind('@');
  auto host = sign == url.npos || sign < begin ? begin : sign + 1;
  return std::string{url.substr(0, begin)} + std::string{url.substr(host)};
}

std::optional<std::array<std::string, 3>> secret() {
  const auto* path = std::getenv(secret_variable);
  auto text =
    path != nullptr ? read_file(std::filesystem::path{path}) : std::nullopt;
  if (!text)
    return std::nullopt;
  std::array<std::string, 3> lines;
  std::size_t begin = 0;
  for (auto& line : lines) {
    auto end = text->find('\n', begin);
    if (end == text->npos)
      return std::nullopt;
    line = text->substr(begin, end - begin);
    begin = end + 1;
  }
  return lines;
}

} // namespace

std::optional<std::string> answer_prompt(std::string_view prompt) {
  auto begin = prompt.find('\'');
  auto end = prompt.rfind('\'');
  auto known = secret();
  if (!known || begin == prompt.npos || end <= begin
      || origin_of(prompt.substr(begin + 1, end - begin - 1)) != known->at(0))
    return std::nullopt;
  if (prompt.starts_with("Username "))
    return known->at(1);
  if (prompt.starts_with("Password "))
    return known->at(2);
  return std::nullopt;
}

} // namespace greenroom::git
