// A session's own clone: asked, committed in, and taken from.
//
// What greenroom-git does inside the session's sandbox; the server itself
// asks through sandboxed_git. A checkout belongs to the session's user, who may
// have broken it in any way. These functions touch nothing but the checkout,
// and of the mirror only read the objects. They run no hook, filter or other
// program, and follow no link out of it (see session_open.hpp for what is
// checked).
//
// Errors: checkout_fault where the repository is in the way; other exceptions
// for what could not be read or written. No call changes anything that a
// second call would not put right.
#pragma once

#include "runtime/git/common/author.hpp"

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::git {

struct session_place {
  std::filesystem::path checkout; // absolute
  std::filesystem::path mirror;   // absolute; where objects are borrowed from
};

/// What the session's user has to put right, in a sentence for them.
class checkout_fault : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

// -- asking -------------------------------------------------------------------

struct checkout_status {
  std::optional<std::string> head;   // nullopt: no commit yet
  std::optional<std::string> branch; // nullopt: HEAD is detached
  std::size_t dirty_files = 0;       // untracked ones included
};

checkout_status status(const session_place& place);

/// True if HEAD is on the branch, which need not have a commit.
bool is_checked_out(const session_place& place, std::string_view branch);

/// Where a local branch stands; nullopt if there is none of that name.
std::optional<std::string> branch_tip(const session_place& place,
                                      std::string_view branch);

/// Every commit that the session's user gave a name: `heads/x`, `tags/y`,
/// `stash` (older ones `stash-1`, …), and `detached` for a detached HEAD. A
/// name that would not pass name_fault becomes `odd/<commit>`.
std::map<std::string, std::string> named_commits(const session_place& place);

// -- taking -------------------------------------------------------------------

struct commit_result {
  std::string commit; // HEAD afterwards; empty if there still is no commit
  bool created = false;
  bool whole = false; // save_tree would find nothing besides
};

/// Commits on HEAD's branch what differs from HEAD in index or work tree:
/// untracked files too, ignored ones not. A submodule stays at what the index
/// says; another repository that lies in the checkout is left out. A merge in
/// progress is concluded; refused while it has conflicts. Nobody else may write
/// there meanwhile: a lock that lies there is taken for a killed git's, and
/// removed.
commit_result commit_all(const session_place& place, const author& by,
                         const std::string& message);

/// Makes a commit of the same without moving HEAD or writing the index, and
/// answers its id, or nullopt if the work tree is as HEAD is. Takes more than
/// commit_all, as nothing may be lost: files of another repository that lies
/// in the checkout, files that git was told to assume unchanged, files in
/// conflict as they are; and it does without a readable index.
std::optional<std::string> save_tree(const session_place& place,
                                     const author& by,
                                     const std::string& message);

/// Writes into `fd`, as one pack, all that `tips` have and `known` commits
/// (which the mirror has) have not. Answers the number of objects; with 0
/// nothing is written.
std::size_t write_pack(const session_place& place,
                       const std::vector<std::string>& tips,
                       const std::vector<std::string>& known, int fd);

} // namespace greenroom::git
