// Where a path lies, by its text alone.
#pragma once

#include <algorithm>
#include <filesystem>

namespace greenroom::sandbox {

/// True if `path` is `top` or in it. Both are absolute.
inline bool is_below(const std::filesystem::path& path,
                     const std::filesystem::path& top) {
  auto parts = (top / "").lexically_normal(); // "/a/b/", whatever it ended with
  auto last = std::prev(parts.end());         // the empty part
  auto at = std::mismatch(parts.begin(), last, path.begin(), path.end());
  return at.first == last;
}

} // namespace greenroom::sandbox
