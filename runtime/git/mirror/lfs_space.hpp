// How much a node keeps of Git LFS: contents of all projects together.
//
// What lies in the stores can be fetched again (lfs_store.hpp), so whatever is
// over the limit goes, what was used least recently first. Thread-safe; blocks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>

namespace greenroom::git {

class lfs_space {
public:
  /// Mirrors lie in `repos`, or in directories there; `limit` is in bytes.
  lfs_space(std::filesystem::path repos, std::uint64_t limit);

  /// Contents have come to `place`, which stays however large it is. What
  /// cannot be removed stays, too.
  void added(const std::filesystem::path& place);

private:
  void trim(const std::filesystem::path& latest);

  const std::filesystem::path repos_;
  const std::uint64_t limit_;
  std::mutex mutex_;
  std::optional<std::uint64_t> used_; // nullopt: not measured yet
};

} // namespace greenroom::git
