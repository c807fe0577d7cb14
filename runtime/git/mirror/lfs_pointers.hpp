// Files of Git LFS as commits of a mirror have them: pointers to contents.
#pragma once

#include "runtime/git/common/lfs_pointer.hpp"

#include <filesystem>
#include <functional>
#include <string>

namespace greenroom {
class refused;
}

namespace greenroom::git {

/// Calls `visit` with each of those that commits behind `commit` have and none
/// of the upstream, as far as fetched, and with the id of its object. Not with
/// their paths, which may take hundreds of times what was pushed. However many
/// there are, they are in memory one at a time. Throws std::runtime_error, and
/// what `visit` throws.
void visit_new_pointers(
  const std::filesystem::path& mirror, const std::string& commit,
  const std::function<void(const std::string& id, const lfs_object&)>& visit);

/// Has the contents of all those brought by `bring`. What it refuses is told to
/// `give_up`, which throws, and with it the file's path; unless no
/// .gitattributes file says that Git LFS keeps it: to git that is a file like
/// any other. Throws refused where there are too many of those, for each takes
/// a look at the history.
void bring_contents(
  const std::filesystem::path& mirror, const std::string& commit,
  const std::function<void(const lfs_object&)>& bring,
  const std::function<void(const std::string& path, const lfs_object&,
                           const refused& why)>& give_up);

/// What a file that came in by commits behind `commit`, and that none of the
/// upstream has, is to Git LFS.
struct lfs_standing {
  bool is_kept = true; // as far as can be told
  std::string path;    // or what stands for it where that cannot be told
};
lfs_standing standing_of_new(const std::filesystem::path& mirror,
                             const std::string& commit, const std::string& id);

} // namespace greenroom::git
