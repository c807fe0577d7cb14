// Files of Git LFS as commits of a mirror have them: pointers to contents.
#pragma once

#include "runtime/git/common/lfs_pointer.hpp"

#include <filesystem>
#include <functional>
#include <string>

namespace greenroom::git {

/// Calls `visit` with each of those that commits behind `commit` have and none
/// of the upstream, as far as fetched, and with the id of its object. Not with
/// their paths, which may take hundreds of times what was pushed. However many
/// there are, they are in memory one at a time. Throws std::runtime_error, and
/// what `visit` throws.
void visit_new_pointers(
  const std::filesystem::path& mirror, const std::string& commit,
  const std::function<void(const std::string& id, const lfs_object&)>& visit);

/// Where one of them came in, or what stands for it where that cannot be told.
std::string path_of_new(const std::filesystem::path& mirror,
                        const std::string& commit, const std::string& id);

} // namespace greenroom::git
