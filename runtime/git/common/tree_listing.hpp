// How much the files of a commit are, as `git ls-tree -r -t -l` lists them.
#pragma once

#include "runtime/git/common/tree_size.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom::git {

/// Adds up what it prints, however it is cut into pieces.
class listing_counter {
public:
  void take(std::string_view piece);

  /// Of the lines that have ended.
  const tree_size& found() const noexcept {
    return found_;
  }

private:
  tree_size found_;
  int column_ = 0; // of the line at hand: mode, type, id, size
  bool is_directory_ = false;
  std::uint64_t size_ = 0;
  bool in_name_ = false;
  bool in_word_ = false;
};

/// Reads until the listing ends, or is more than may be.
tree_size read_listing(int from, const tree_limits& limits);

/// Why a branch with these files is refused, in a sentence for its user;
/// nullopt: it may have them.
std::optional<std::string> why_too_large(const tree_size& found,
                                         const tree_limits& limits);

} // namespace greenroom::git
