// What an object is, told without reading it.
//
// libgit2 reads whatever it looks up whole, also to find that it is something
// else: a session may have a tag for a file of any size. Only sources in
// runtime/git include this.
#pragma once

#include "runtime/git/mirror/handles.hpp"

#include <optional>

namespace greenroom::git {

/// GIT_OBJECT_INVALID: there is no such object.
git_object_t type_of(git_repository* repo, const git_oid& id);

/// The commit that it is, or that it stands for as a tag; nullopt: none, or no
/// more than a hundred tags lead to it.
std::optional<git_oid> peel_to_commit(git_repository* repo, git_oid id);

} // namespace greenroom::git
