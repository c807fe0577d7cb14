// Why git-lfs could not do something, in its words, which may be those of the
// upstream's LFS server.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace greenroom::git {

/// The longest reason, in bytes.
inline constexpr std::size_t max_lfs_reason = 500;

/// Part of one sentence, without control characters, passwords or half a
/// character at its end. `said`: what git-lfs wrote to stderr.
std::string lfs_reason(std::string_view said);

} // namespace greenroom::git
