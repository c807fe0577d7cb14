// Files whose contents Git LFS keeps outside of git: in commits there is a
// pointer, and the contents lie in `.git/lfs`, or where `lfs.storage` says,
// until they are delivered.
#pragma once

#include "runtime/git/common/author.hpp"
#include "runtime/git/inside/repo.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace greenroom::git {

struct lfs_file {
  std::string path;
  std::string oid;                // SHA-256 of the contents, 64 hex digits
  std::uint64_t size = 0;         // of the contents, as the pointer says
  std::filesystem::path contents; // empty: they are not here
};

/// The setting `lfs.storage`; empty: there is none.
std::string lfs_storage(const repo& in);

/// Where their contents lie, as git-lfs finds it.
std::filesystem::path lfs_directory(const repo::facts& at,
                                    const std::string& storage);

/// Those that commits behind `tips` have and `known` ones have not. None where
/// Git LFS has never been used: there is no `store`.
std::vector<lfs_file> lfs_files(const repo& in,
                                const std::filesystem::path& store,
                                const std::vector<std::string>& tips,
                                const std::vector<std::string>& known);

/// What such a commit holds, for users.
inline constexpr const char* lfs_contents =
  "contents of files that Git LFS keeps, each under its SHA-256";

/// A commit with the contents that are here, each under its oid; nullopt:
/// there are none. Reads those that have changed since the last time.
std::optional<std::string> save_contents(const repo& in, const repo::facts& at,
                                         const std::vector<lfs_file>& files,
                                         const author& by);

} // namespace greenroom::git
