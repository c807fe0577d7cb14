// The administrator's key: the one secret that exists before any other.
//
// It comes from the first of these that is there: the environment variable
// GREENROOM_ADMIN_KEY, the file that auth.admin_key_file names, the file
// admin.key in the data directory. The last is made at the first start.
#pragma once

#include <filesystem>
#include <string>

namespace greenroom {

struct admin_key {
  std::string secret;
  std::string source; // for the log: where it came from
  bool made = false;  // just now, at this start
};

/// `key_file` empty: none is configured. White space around the key is not
/// part of it. Throws std::runtime_error with a sentence that names the
/// source: a file that is missing, empty or open to everybody; a key that is
/// shorter than 16 characters or not printable ASCII.
admin_key load_admin_key(const std::filesystem::path& key_file,
                         const std::filesystem::path& data_dir);

/// The same for a node that runs: makes none, so a file that is missing is
/// another reason to throw.
admin_key read_admin_key(const std::filesystem::path& key_file,
                         const std::filesystem::path& data_dir);

} // namespace greenroom
