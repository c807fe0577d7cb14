// The files of a checkout that is being made, and what its index notes of them.
//
// For who makes checkouts, in a directory where nobody else has written yet.
// Includes libgit2 as handles.hpp does, so only sources of this folder include
// it. Errors: `refused` for what the branch holds, other exceptions for what
// the machine did.
#pragma once

#include "runtime/git/common/tree_size.hpp"
#include "runtime/git/mirror/handles.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace greenroom::git {

inline constexpr const char* checkout_failure =
  "cannot make the session's checkout";

/// An empty repository in `top`, which borrows the mirror's objects. Files that
/// lie there stay.
repository_handle make_repository(const std::filesystem::path& top,
                                  const std::filesystem::path& mirror);

/// `git read-tree` in there with these arguments; throws refused(conflict) for
/// a file that is too large. Where `stop_fd` can be read git is ended, and that
/// throws too; -1: nothing ends it early.
void read_tree(const std::filesystem::path& top, std::vector<std::string> args,
               int stop_fd = -1);

/// Makes the files a little older than the index: git compares whole seconds,
/// and would read every file again that is as young as its index, at each
/// `git status` until something writes the index anew.
void make_older(git_repository* repo, const std::filesystem::path& top);

/// Notes in the index when the files were changed, which giving them away has
/// done too, who owns them in the eyes of those who work there (nullopt: who
/// does so here), and which trees there are.
tree_size note_files(git_repository* repo, const std::filesystem::path& top,
                     const std::optional<std::uint32_t>& seen_owner);

/// Returns when all that is below survives a power cut.
void put_on_disk(const std::filesystem::path& top);

/// What lies in `top`, without its `.git`.
std::vector<std::filesystem::path> entries_of(const std::filesystem::path& top);

} // namespace greenroom::git
