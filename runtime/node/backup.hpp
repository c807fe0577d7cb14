// Backups of a node's data directory, made while the node runs, and restored
// where it does not.
//
// A backup is one tar archive: the sessions' files, then the store as it is at
// that moment, then the mirrors. So the store never knows less than a file that
// was copied, as after a crash: what a timeline lacks is made anew from the
// store, and what a session refers to is in the mirrors. What runs in a session
// is no part of it: after a restore those commands are `lost`.
//
// A backup has the administrator's key and all work: its mode is 0600.
#pragma once

#include "runtime/config/config.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace greenroom {

struct backup_report {
  std::filesystem::path archive; // absolute
  std::uint64_t bytes = 0;
  std::vector<std::string> left_out; // a line of tar each: what it cannot read
};

/// Makes a backup at a path where nothing is yet. Throws std::runtime_error,
/// with nothing left there: the store is a server's, or has no node's data, or
/// the archive cannot be written.
backup_report make_backup(const config& settings,
                          const std::filesystem::path& archive);

/// Fills the data directory, which must be empty or not there. Throws
/// std::runtime_error: it is not; the archive is no backup, or one of another
/// data directory, whose path the sessions' clones have in them.
void restore_backup(const config& settings,
                    const std::filesystem::path& archive);

} // namespace greenroom
