// What a session has beside its branch and its files, and how a checkout that
// is made again gets it.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace greenroom::git {

struct other_work {
  // Below refs/, and the objects: branches, tags, notes, … under their names;
  // below `aside` what has no place in a new checkout, such as a HEAD that was
  // on no branch, or what a repository inside had.
  std::map<std::string, std::string> refs;
  std::vector<std::string> stashes; // commits, the oldest first
  // A commit with contents of Git LFS, each as a file that its SHA-256 names;
  // empty: there are none.
  std::string lfs;
  // `restored/<id>/`: for what cannot be made under its name either.
  std::string aside;
};

/// Finds the place of each object of the checkpoint `from`; they have the names
/// of named_object.
other_work
sort_out(const std::vector<std::pair<std::string, std::string>>& named,
         const std::string& from);

/// Writes all of it into the repository of a checkout that nobody uses yet. The
/// objects are in the mirror.
void write_others(const std::filesystem::path& checkout,
                  const std::filesystem::path& mirror, const other_work& work);

} // namespace greenroom::git
