#include "runtime/git/common/lfs_pointer.hpp"

#include "runtime/base/hex.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>

namespace greenroom::git {

namespace {

constexpr std::array<std::string_view, 3> first_lines{
  "version https://git-lfs.github.com/spec/v1",
  "version http://git-media.io/v/2",
  "version https://hawser.github.com/spec/v1"};

// The next line that is not empty; of CR LF neither is part of it.
std::string_view take_line(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of("\r\n"), text.size()));
  auto end = std::min(text.find('\n'), text.size());
  auto line = text.substr(0, end);
  text.remove_prefix(end);
  if (line.ends_with('\r'))
    line.remove_suffix(1);
  return line;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  const auto is_there = text.starts_with(prefix);
  text.remove_prefix(is_there ? prefix.size() : 0);
  return is_there;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\r\n\v\f";
  text.remove_prefix(std::min(text.find_first_not_of(space), text.size()));
  return text.substr(0, text.find_last_not_of(space) + 1);
}

} // namespace

bool is_lfs_oid(std::string_view text) noexcept {
  return is_hex(text, sha256_digits);
}

std::optional<lfs_object> read_pointer(std::string_view file) {
  file = trimmed(file);
  if (std::ranges::count(first_lines, take_line(file)) == 0)
    return std::nullopt;
  auto line = take_line(file);
  while (line.starts_with("ext-"))
    line = take_line(file);
  if (!take_prefix(line, "oid sha256:") || !is_lfs_oid(line))
    return std::nullopt;
  lfs_object result{std::string{line}, 0};
  line = take_line(file);
  if (!take_prefix(line, "size ") || !file.empty())
    return std::nullopt;
  const auto* end = line.data() + line.size();
  auto read = std::from_chars(line.data(), end, result.size);
  if (read.ec != std::errc{} || read.ptr != end)
    return std::nullopt;
  return result;
}

} // namespace greenroom::git
