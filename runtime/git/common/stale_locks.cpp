#include "runtime/git/common/stale_locks.hpp"

#include <vector>

namespace greenroom::git {

namespace fs = std::filesystem;

void remove_ref_locks(const fs::path& git_dir, const fs::path& below) {
  std::vector<fs::path> found{git_dir / "packed-refs.lock"};
  if (fs::exists(git_dir / below))
    for (const auto& entry : fs::recursive_directory_iterator{git_dir / below})
      if (entry.path().extension() == ".lock"
          && !fs::is_directory(entry.symlink_status()))
        found.push_back(entry.path());
  for (const auto& lock : found)
    fs::remove(lock);
}

void remove_all_locks(const fs::path& git_dir) {
  remove_ref_locks(git_dir, "refs");
  fs::remove(git_dir / "HEAD.lock");
  fs::remove(git_dir / "index.lock");
}

} // namespace greenroom::git
