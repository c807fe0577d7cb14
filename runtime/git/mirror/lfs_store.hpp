// Contents of files that Git LFS keeps outside of git: those of one project.
//
// Beside the mirror lies a repository of our own, `lfs.git`, in whose
// `lfs/objects` they are as git-lfs itself lays them out. The program git-lfs,
// which has to be installed for that, brings them from the upstream's LFS
// server (or directory, where the upstream is a path) and delivers them there.
// Which server that is it finds from the upstream's URL, or from a .lfsconfig
// in the default branch. Nothing is ever taken away but with the mirror.
//
// Blocks; any thread.
#pragma once

#include "runtime/git/mirror/credentials.hpp"
#include "runtime/git/mirror/mirror.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::git {

struct lfs_object {
  std::string oid; // SHA-256 of the contents, 64 hex digits
  std::uint64_t size = 0;
};

/// True for 64 lower-case hex digits.
bool is_lfs_oid(std::string_view text) noexcept;

class lfs_store {
public:
  lfs_store(const mirror& of, const std::string& default_branch,
            std::shared_ptr<const credentials> keys);

  /// False where git-lfs is not installed: then all below is refused.
  static bool available();

  /// Where the contents are, if they are here.
  std::optional<std::filesystem::path> find(const lfs_object& what) const;

  /// The same, from the upstream where they are not. Throws refused(not_found)
  /// with git-lfs's reason.
  std::filesystem::path fetch(const lfs_object& what) const;

  /// Takes contents that are read from `fd` and delivers them to the upstream.
  /// Throws refused: bad_request where they are not those of that id, conflict
  /// with git-lfs's reason where the upstream does not take them.
  void deliver(const lfs_object& what, int fd) const;

private:
  std::filesystem::path place_of(const lfs_object& what) const;
  command_result run(std::vector<std::string> args, int stdin_fd) const;

  std::filesystem::path top_; // lfs.git
  std::string upstream_;
  std::shared_ptr<const credentials> keys_;
};

} // namespace greenroom::git
