// What a directory holds on disk, with all that lies below it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace greenroom {

struct tree_size {
  std::uint64_t bytes = 0; // as the file system counts them
  std::uint64_t files = 0; // directories too
  bool whole = true;       // else there is more: too deep, or no time for it
};

/// Adds the directory `name` in `at` and all below it, as far as it may be
/// read; of many names of one file each counts its part. Links are not
/// followed, other file systems not entered, and whoever moves things
/// meanwhile does not lead us out. Holds a descriptor for each level, at most
/// `max_depth`. `go_on` is asked now and then; what is unset says yes.
void add_tree(tree_size& to, int at, const char* name, std::size_t max_depth,
              const std::function<bool()>& go_on = {});

} // namespace greenroom
