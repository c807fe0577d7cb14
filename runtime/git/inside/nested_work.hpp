// What a user made beside the session's own repository: in its linked work
// trees, and in every repository that lies inside of the checkout, such as
// submodules, checked out or not any more, and clones of something else.
//
// Of a repository inside is kept what only it has: commits that none of its
// remotes is known to have, and what is not committed. Where that begins with
// commits of another upstream, which are neither kept nor pushed with it:
//
//   nested/<path>/tree     the files that differ, without a parent
//   nested/<path>/bundle   its own commits and references, as a bundle for a
//                          clone of its remote
//
// Each is looked at by itself: of one that cannot be used its files are kept,
// and the note names it.
#pragma once

#include "runtime/git/inside/named_work.hpp"
#include "runtime/git/inside/repo.hpp"
#include "runtime/git/inside/staging.hpp"

#include <string>
#include <vector>

namespace greenroom::git {

/// How deep below a path that git ignores, and at how many directories of them
/// all, is looked for repositories. A larger rest is named in the note.
inline constexpr int max_ignored_depth = 12;
inline constexpr std::size_t max_ignored_directories = 25'000;

/// Adds all of that. `inside` are paths of repositories in the work tree that
/// are known already; without `ignored` there are none below paths that git
/// ignores.
void add_others(named_work& to, const repo& in, const repo::facts& at,
                const std::vector<std::string>& inside, bool ignored,
                const tree_saving& how);

/// Has the note say what of a tree is left out, which then stays where it is,
/// or kept unfiltered.
void add_remarks(named_work& to, const staged_files& found, stage_mode mode);

} // namespace greenroom::git
