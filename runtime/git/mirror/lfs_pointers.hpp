// Files of Git LFS as commits of a mirror have them: pointers to contents.
#pragma once

#include "runtime/git/mirror/lfs_store.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace greenroom::git {

/// What a small file points to, if it is a pointer of Git LFS.
std::optional<lfs_object> read_pointer(std::string_view file);

/// Those that commits behind `commit` have and none of the upstream, as far as
/// fetched, with the ids of their objects. Not with their paths, which may take
/// hundreds of times what was pushed. Throws std::runtime_error.
std::vector<std::pair<std::string, lfs_object>>
new_pointers(const std::filesystem::path& mirror, const std::string& commit);

/// Where one of them came in, or what stands for it where that cannot be told.
std::string path_of_new(const std::filesystem::path& mirror,
                        const std::string& commit, const std::string& id);

} // namespace greenroom::git
