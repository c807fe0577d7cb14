// What the audit has of commands' inputs, which come in as many requests as a
// pipe has pieces: the first is an entry at once, what follows it by the same
// key from the same address is one at the input's end, or every minute while it
// goes on. What is refused is none of this and has entries of its own.
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
  static constexpr unix_ms period = 60'000;

  /// Takes the entry of a request that has written `bytes`, the last of them
  /// where it `ends` the input. Returns what is to be written now.
  std::vector<audit_entry> add(audit_entry entry, std::size_t bytes, bool ends);

  /// What has waited for as long as it may, and forgets inputs that are quiet.
  std::vector<audit_entry> take_due(unix_ms now);

  /// All that waits.
  std::vector<audit_entry> take_all();

  bool empty() const noexcept {
    return open_.empty();
  }

private:
  struct fold {
    audit_entry entry; // the last of them; no `requests`: none waits
    unix_ms since = 0; // something was written, or nothing was there
  };

  fold* find(const audit_entry& entry) noexcept;

  std::vector<fold> open_; // the one that is there longest first
};

} // namespace greenroom::http
