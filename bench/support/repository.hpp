// Repositories of a known size, made by git itself.
//
// Throws std::runtime_error with what git said.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace greenroom::bench {

/// Files of about 3 KiB in 50 directories, then commits that each change one.
struct repository_size {
  unsigned files = 0;
  unsigned commits = 1;
};

/// Runs git as a user without configuration.
void git(const std::filesystem::path& cwd,
         const std::vector<std::string>& arguments);

/// Makes a bare repository with the branch `main`, packed as after a clone.
void make_repository(const std::filesystem::path& path,
                     const repository_size& size);

} // namespace greenroom::bench
