// How much a checkout's files are.
#pragma once

#include <cstddef>
#include <cstdint>

namespace greenroom::git {

struct tree_size {
  std::size_t files = 0;
  std::uint64_t bytes = 0; // of their contents
};

} // namespace greenroom::git
