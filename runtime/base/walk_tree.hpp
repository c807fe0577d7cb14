// Visits all that lies in a directory, by names relative to open directories:
// the kernel looks up one name a visit, not a whole path.
//
// One directory is open at a time, and its path is only followed where it leads
// through no symbolic link and into no other file system: somebody may write
// there meanwhile, and does not lead us out.
#pragma once

#include "runtime/base/fd.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace greenroom {

struct visited {
  int directory;      // open during the call
  const char* name;   // in it
  unsigned char type; // DT_DIR, DT_REG, DT_LNK, … of readdir(3); never unknown
};

/// Calls `use` for everything below `top`, which is not visited itself, but for
/// what is called `without` in `top`; a directory before what is in it. What
/// goes meanwhile is passed over. Throws std::system_error that names the
/// directory which cannot be read.
void walk_tree(const std::filesystem::path& top,
               const std::function<void(const visited&)>& use,
               std::string_view without = {});

/// Opens directories below one, and keeps open the one that was asked for last:
/// for paths in an order in which those of one directory follow one another.
class opened_directory {
public:
  /// Throws std::system_error where `top` cannot be opened.
  explicit opened_directory(const std::filesystem::path& top);

  /// The directory of that path relative to the top, "" for the top itself. -1
  /// where it cannot be opened, and errno says why. Valid until the next call.
  int at(std::string_view path);

private:
  unique_fd top_;
  std::string path_;
  unique_fd opened_;
};

} // namespace greenroom
