// Contents of Git LFS as objects of git, which of large files takes as long as
// to read them: what has not changed since is not read again.
//
// What was made of which file is remembered beside the repository, by all that
// the file system says of one that is the same. The session can write there; it
// would fool itself only, as it could by the contents.
#pragma once

#include "runtime/git/inside/repo.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace greenroom::git {

/// The ids of the objects that have these files' contents, which are written
/// where they are not there, in the same order. Throws checkout_fault.
std::vector<std::string>
hash_contents(const repo& in, const repo::facts& at,
              const std::vector<std::filesystem::path>& files);

} // namespace greenroom::git
