// Makes clean checkouts: a session's clone, and the one that a review looks at.
//
// A checkout is a repository of its own that borrows the mirror's objects. It
// is made by the server itself: nobody else can write there before it is
// whole, and from then on the server only looks at it through sandboxed_git.
#pragma once

#include "runtime/git/session_repo.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace greenroom::git {

struct checkout_spec {
  session_place place;
  std::string branch;
  std::string commit; // empty: the branch has no commit yet
  // The upstream's branches and tags as mirror::upstream_refs gives them; they
  // become refs/remotes/origin/* and refs/tags/*.
  std::map<std::string, std::string> upstream_refs;
  // Who the files will belong to in the eyes of those who work there, user and
  // group alike, where that is not who they belong to here: git would read
  // all files again to find that none has changed.
  std::optional<std::uint32_t> seen_owner = std::nullopt;
};

/// Makes the clone, whole or not at all, with the branch checked out. A
/// checkout that is there already and stands on the branch is left alone;
/// throws refused(conflict) if it stands elsewhere.
void make_checkout(const checkout_spec& spec);

} // namespace greenroom::git
