// What greenroom-git answers from inside a session's sandbox.
//
// It is the session's word, whatever that made of the program: object ids,
// names and sizes are checked, and texts are cut and cleaned for users. No I/O.
#pragma once

#include "runtime/base/fd.hpp"
#include "runtime/git/inside/named_work.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::git {

struct checkout_state {
  std::optional<std::string> head;   // nullopt: no commit yet
  std::optional<std::string> branch; // nullopt: HEAD is detached
  std::size_t dirty_files = 0;       // untracked ones included
  // HEAD beside the commit that was asked about; nullopt without either.
  std::optional<std::size_t> ahead;
  std::optional<std::size_t> behind;
  // What git is in the middle of, in a sentence; nullopt: nothing, or not told.
  std::optional<std::string> operation;
  // What has a name in the repository, the branch included; nullopt: not known.
  std::optional<std::vector<named_object>> named;
};

enum class merge_answer { clean, conflict, up_to_date, fast_forward };

struct merge_forecast {
  merge_answer answer = merge_answer::up_to_date;
  std::size_t dirty_files = 0; // as of checkout_state; not part of the answer
  std::string commit;          // the branch's tip; empty: it has none
  std::vector<std::string> files; // in conflict; none: no common history
  std::string reason;             // why else it cannot be merged, or empty
};

struct saved_work {
  std::optional<std::string> tip; // of save_request::branch
  // Each name once. Names and what they hold are fit for references and users.
  std::vector<named_object> named;
  std::optional<std::string> note; // what could not be looked at, or saved
  bool complete = true; // false: what the note names is in the checkout only
  // What all of these have and the known commits have not, as one pack: a file
  // without a name that stands where the pack begins. nullopt: nothing.
  std::optional<unique_fd> pack;
};

/// Longer sentences are cut.
inline constexpr std::size_t max_sentence = 2000;

inline constexpr const char* too_many_refs =
  "the session's repository has too many branches and tags, delete some";

[[noreturn]] void bad_answer(const std::string& what);

/// The text's first line, fit for users and logs.
std::string sentence_of(std::string_view text);

/// These throw refused(conflict) where there is more than a session may have,
/// and std::runtime_error for what greenroom-git never says.
checkout_state read_state(std::string_view text);
merge_forecast read_forecast(std::string_view text);
/// Without the pack. `with_branch`: it was asked for a branch's tip.
saved_work read_saved_work(std::string_view text, bool with_branch);

} // namespace greenroom::git
