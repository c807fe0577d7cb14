// How large may be what git and libgit2 read whole.
//
// Files go through in pieces, whatever they have. Commits, tags and directories
// do not, and a few kilobytes of a pack can stand for gigabytes of them: what
// the node has read of a session's must not be larger.
#pragma once

#include "runtime/base/sizes.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom::git {

/// Bytes; a directory of a million files has fewer.
inline constexpr std::uint64_t max_object = std::uint64_t{64} << 20;

inline std::string how_large_objects_are() {
  return "a commit, a tag or a directory may have no more than "
         + format_size(max_object);
}

/// `kind` as git calls it. Follows what names the object: "X has …".
inline std::optional<std::string> why_too_large(std::string_view kind,
                                                std::uint64_t size) {
  if (kind == "blob" || size <= max_object)
    return std::nullopt;
  return "has " + std::to_string(size) + " bytes, and "
         + how_large_objects_are();
}

} // namespace greenroom::git
