// What the audit has of commands' inputs, which come in as many requests as a
// pipe has pieces: the first is an entry at once, what follows it by the same
// key from the same address is one at the input's end, or every minute while it
// goes on, so that a node that is killed loses no more than that. What is
// refused is none of this and has entries of its own.
//
// Of one HTTP thread, and not thread-safe. Bounds: max_open inputs; for one
// more the one that has been there longest is written early.
#pragma once

#include "messages/audit.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace greenroom::http {

class input_folds {
public:
  static constexpr std::size_t max_open = 256;

  /// Takes the entry of a request that has written `bytes`, the last of them
  /// where it `ends` the input. Returns what is to be written now.
  std::vector<audit_entry> add(audit_entry entry, std::size_t bytes, bool ends);

  /// All that waits; inputs of which nothing came since the last call are
  /// forgotten.
  std::vector<audit_entry> take_waiting();

  bool empty() const noexcept {
    return open_.empty();
  }

private:
  // The last of each; no `requests`: none waits. The one that is there longest
  // first.
  std::vector<audit_entry> open_;
};

} // namespace greenroom::http
