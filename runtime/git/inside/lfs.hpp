// Files whose contents Git LFS keeps outside of git: in commits there is a
// pointer, and the contents lie in `.git/lfs`, or where `lfs.storage` says,
// until they are delivered.
#pragma once

#include "runtime/git/common/author.hpp"
#include "runtime/git/inside/repo.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace greenroom::git {

/// The setting `lfs.storage`; empty: there is none.
std::string lfs_storage(const repo& in);

/// Where their contents lie, as git-lfs finds it.
std::filesystem::path lfs_directory(const repo::facts& at,
                                    const std::string& storage);

/// Where those contents lie that are here and that commits behind `tips` point
/// to and `known` ones do not. None where Git LFS has never been used: there is
/// no `store`.
std::vector<std::filesystem::path>
lfs_contents_of(const repo& in, const std::filesystem::path& store,
                const std::vector<std::string>& tips,
                const std::vector<std::string>& known);

/// What such a commit holds, for users.
inline constexpr const char* lfs_contents =
  "contents of files that Git LFS keeps, each under its SHA-256";

/// A commit with them, each under its oid; nullopt: there are none. Reads those
/// that have changed since the last time.
std::optional<std::string>
save_contents(const repo& in, const repo::facts& at,
              const std::vector<std::filesystem::path>& files,
              const author& by);

} // namespace greenroom::git
