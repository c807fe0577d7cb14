// Contents of files that Git LFS keeps outside of git: those of one project.
//
// Beside the mirror lies a repository of our own, `lfs.git`, in whose
// `lfs/objects` they are as git-lfs itself lays them out. The program git-lfs,
// which has to be installed for that, brings them from the upstream's LFS
// server (or directory, where the upstream is a path) and delivers them there.
// Which server that is it finds from the upstream's URL, or from a .lfsconfig
// in the default branch.
//
// What lies in `lfs/objects` the upstream has, or had: it was fetched from
// there or has been delivered. Until then it is in a repository of its own,
// `incoming/OID`, so that a crash amid a delivery leaves nothing that would
// count as delivered. All of it can be fetched again, and what was not used for
// long goes (lfs_space.hpp): files say when they were used by when they were
// changed.
//
// Blocks; any thread.
#pragma once

#include "runtime/base/fd.hpp"
#include "runtime/git/common/lfs_pointer.hpp"
#include "runtime/git/mirror/credentials.hpp"
#include "runtime/git/mirror/lfs_calls.hpp"
#include "runtime/git/mirror/lfs_space.hpp"
#include "runtime/git/mirror/mirror.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::git {

/// What the stores of a node share.
struct lfs_limits {
  std::shared_ptr<lfs_calls> calls;
  std::shared_ptr<lfs_space> space;
  // Ends what goes on when the node stops: refused(unavailable).
  bool until_stop = false;
};

class lfs_store {
public:
  lfs_store(const mirror& of, const std::string& default_branch,
            std::shared_ptr<const credentials> keys, lfs_limits limits);

  /// False where git-lfs is not installed: then all below is refused.
  static bool available();

  /// The contents, to be read; empty where they are not here.
  unique_fd find(const lfs_object& what) const;

  /// The same, from the upstream where they are not here. What it has not got
  /// and rescue refs have is delivered first, so that work that was rescued can
  /// be checked in again. Throws refused(not_found) with git-lfs's reason.
  unique_fd fetch(const lfs_object& what) const;

  /// Takes contents that are read from `fd` and delivers them to the upstream,
  /// which has them when this returns. Throws refused: bad_request where they
  /// are not those of that id, conflict with git-lfs's reason where the
  /// upstream does not take them.
  void deliver(const lfs_object& what, int fd) const;

private:
  std::filesystem::path place_of(const lfs_object& what) const;
  void make_repository(const std::filesystem::path& at) const;
  void deliver_in_turn(const lfs_object& what, int fd) const;
  void send_from(const std::filesystem::path& repository,
                 const lfs_object& what, int fd) const;
  command_result run(const std::filesystem::path& repository,
                     std::vector<std::string> args, int stdin_fd) const;

  mirror mirror_;
  std::filesystem::path top_; // lfs.git
  std::string head_;          // the default branch's tip, as HEAD has it
  std::shared_ptr<const credentials> keys_;
  lfs_limits limits_;
};

} // namespace greenroom::git
