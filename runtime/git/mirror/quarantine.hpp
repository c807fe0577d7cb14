// Where a session's objects wait until they have been checked.
//
// A directory inside the mirror's objects, on the same file system, that no
// reader of the mirror looks into. It goes with its owner; one that a crash
// left is told by the lock that its owner would hold.
#pragma once

#include "runtime/base/fd.hpp"

#include <filesystem>

namespace greenroom::git {

class quarantine {
public:
  explicit quarantine(const std::filesystem::path& mirror);
  quarantine(const quarantine&) = delete;
  quarantine& operator=(const quarantine&) = delete;
  ~quarantine();

  const std::filesystem::path& path() const noexcept {
    return path_;
  }

  /// Moves its packs into the mirror, on disk when it returns. A pack is seen
  /// by readers only with its index, which comes last.
  void accept();

  /// Removes those whose owner is no more.
  static void remove_leftovers(const std::filesystem::path& mirror);

private:
  std::filesystem::path objects_;
  std::filesystem::path path_;
  unique_fd lock_;
};

} // namespace greenroom::git
