// Lock files that a killed writer left in a repository.
//
// git and libgit2 take a lock by making a file, which outlives them when they
// are killed, and nobody gets past it. So whoever knows that nobody else
// writes there removes what lies there first.
#pragma once

#include <filesystem>

namespace greenroom::git {

/// Removes the locks of the references below `git_dir/below`, and of the file
/// in which git packs them. Throws std::filesystem::filesystem_error.
void remove_ref_locks(const std::filesystem::path& git_dir,
                      const std::filesystem::path& below);

/// Removes also those of HEAD and the index.
void remove_all_locks(const std::filesystem::path& git_dir);

} // namespace greenroom::git
