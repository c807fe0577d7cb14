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

std::string_view take_line(std::string_view& text) {
  auto end = std::min(text.find('\n'), text.size());
  auto line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r'))
    line.remove_suffix(1);
  return line;
}

} // namespace

bool is_lfs_oid(std::string_view text) noexcept {
  return is_hex(text, sha256_digits);
}

std::optional<lfs_object> read_pointer(std::string_view file) {
  constexpr std::string_view oid = "oid sha256:";
  constexpr std::string_view size = "size ";
  file.remove_prefix(std::min(file.find_first_not_of("\r\n"), file.size()));
  if (std::ranges::count(first_lines, take_line(file)) == 0)
    return std::nullopt;
  lfs_object result;
  bool has_size = false;
  while (!file.empty()) {
    auto line = take_line(file);
    if (line.starts_with(oid)) {
      result.oid = line.substr(oid.size());
    } else if (line.starts_with(size)) {
      line.remove_prefix(size.size());
      auto read =
        std::from_chars(line.data(), line.data() + line.size(), result.size);
      has_size = read.ec == std::errc{};
    }
  }
  if (!has_size || !is_lfs_oid(result.oid))
    return std::nullopt;
  return result;
}

} // namespace greenroom::git
