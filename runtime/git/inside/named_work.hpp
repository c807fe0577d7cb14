// Everything in a checkout that a user made and that has, or can be given, a
// name: branches, tags, notes, stashes, a detached HEAD, linked work trees, and
// the same of every repository that lies inside (submodules too).
#pragma once

#include "runtime/git/inside/repo.hpp"
#include "runtime/git/inside/staging.hpp"

#include <optional>
#include <string>
#include <vector>

namespace greenroom::git {

struct named_object {
  // `heads/x`, `tags/y`, `notes/z`, `stash` (older ones `stash-1`, …),
  // `detached`, `tree` (what is not committed), `other/…`; of a repository
  // inside `nested/<its path>/…`, of a linked work tree `worktrees/<name>/…`.
  // What would not pass name_fault is `odd/<id>`.
  std::string name;
  std::string id;    // a commit's, or an annotated tag's own
  std::string holds; // what it is, in words for the user
};

struct named_work {
  std::vector<named_object> objects;
  // Where the objects of repositories inside lie.
  std::vector<std::filesystem::path> stores;
  std::optional<std::string> note; // what could not be looked at
};

/// Has the note say what could not be read: each with the reason, as git says
/// it.
void name_left_out(named_work& in, const std::vector<std::string>& files);

/// What the references of the session's own repository name, and its stashes.
named_work named_commits(const repo& in, const repo::facts& at);

/// Adds what is not committed in the linked work trees, and what repositories
/// inside have that none of their own remotes has. `inside` are paths.
void add_others(named_work& to, const repo& in, const repo::facts& at,
                const std::vector<std::string>& inside, const tree_saving& how);

/// A pack of what the objects have and the known commits have not.
void write_pack(const repo& in, const named_work& work,
                const std::vector<std::string>& tips,
                const std::vector<std::string>& known, int fd);

} // namespace greenroom::git
