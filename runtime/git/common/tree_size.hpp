// How much a checkout's files are.
#pragma once

#include <cstddef>
#include <cstdint>

namespace greenroom::git {

struct tree_size {
  std::size_t files = 0;
  std::uint64_t bytes = 0; // of their contents
  // As far as they were counted; there may be any number, and no file in them.
  std::size_t directories = 0;
};

/// What of them one checkout may have; 0: as much as there is room for.
struct tree_limits {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};

/// The environment's variable that a push is judged by inside of a sandbox:
/// "FILES BYTES".
inline constexpr const char* tree_limits_variable = "GREENROOM_TREE_LIMITS";

} // namespace greenroom::git
