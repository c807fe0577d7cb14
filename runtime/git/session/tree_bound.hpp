// Whether the files of a commit are more than a session may have.
//
// A pack of a few kilobytes can stand for any number of files of any size, and
// what a session holds is measured only while its commands run: so it is looked
// at before the checkout is made. That costs a fiftieth of making it.
#pragma once

#include "runtime/git/session/tree_size.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace greenroom::git {

/// Adds up what `git ls-tree -r -l` prints, however it is cut into pieces.
class listing_counter {
public:
  void take(std::string_view piece);

  /// Of the lines that have ended.
  const tree_size& found() const noexcept {
    return found_;
  }

private:
  tree_size found_;
  int column_ = 0; // of the line at hand; the fourth is the size
  std::uint64_t size_ = 0;
  bool in_name_ = false;
  bool in_word_ = false;
};

/// Throws refused(conflict) where `tree`, of a repository that nobody but us
/// has written in, has more than `limits`. Stops reading there. Blocks.
void check_tree(const std::filesystem::path& git_dir, const std::string& tree,
                const tree_limits& limits);

} // namespace greenroom::git
