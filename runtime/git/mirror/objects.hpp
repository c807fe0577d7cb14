// What an object is, told without reading it.
//
// libgit2 reads whatever it looks up whole, also to find that it is something
// else: a session may have a tag for a file of any size. Only sources in
// runtime/git include this.
#pragma once

#include "runtime/git/mirror/handles.hpp"

#include <cstddef>
#include <filesystem>
#include <optional>

namespace greenroom::git {

/// Commits, trees and tags have to be read whole by all that use them, git
/// itself included: larger ones no mirror takes from a session.
inline constexpr std::size_t max_whole_object = std::size_t{32} << 20;

/// GIT_OBJECT_INVALID: there is no such object.
git_object_t type_of(git_repository* repo, const git_oid& id);

/// The commit that it is, or that it stands for as a tag; nullopt: none, or no
/// more than a hundred tags lead to it.
std::optional<git_oid> peel_to_commit(git_repository* repo, git_oid id);

/// One of these in a directory of objects, of more bytes than
/// max_whole_object; nullopt: there is none.
std::optional<git_oid> find_too_large(const std::filesystem::path& objects);

} // namespace greenroom::git
