// What stands in commits for a file whose contents Git LFS keeps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom::git {

struct lfs_object {
  std::string oid; // SHA-256 of the contents, 64 hex digits
  std::uint64_t size = 0;
};

/// True for 64 lower-case hex digits.
bool is_lfs_oid(std::string_view text) noexcept;

/// What a file of up to 1024 bytes points to, if git-lfs takes it for a
/// pointer: also one of the first versions, or with line ends of Windows.
std::optional<lfs_object> read_pointer(std::string_view file);

} // namespace greenroom::git
