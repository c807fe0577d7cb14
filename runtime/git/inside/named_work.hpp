// What a user made in a repository and has a name there: branches, tags, notes,
// stashes, a detached HEAD.
#pragma once

#include "runtime/git/inside/repo.hpp"

#include <map>
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
  std::optional<std::string> note; // what could not be looked at, or saved
  bool complete =
    true; // false: something stays where it is, the note says what
};

/// Has the note say one thing more.
void add_note(named_work& to, const std::string& text);

/// Has the note say that something could not be saved, and why: it stays where
/// it is.
void add_left(named_work& to, const std::string& what, const std::string& why);

/// What the references of the session's own repository name, and its stashes.
named_work named_commits(const repo& in, const repo::facts& at);

/// A HEAD that is on no branch.
void add_detached(named_work& to, const repo& in, const repo::facts& at);

/// Changes that a rebase or merge has put aside: nothing else names them.
void add_put_aside(named_work& to, const repo::facts& at);

/// The name if it can be a reference's, else `odd/<id>`: git takes names that
/// we do not.
std::string usable(std::string name, const std::string& id);

/// The objects under names that begin with `prefix`, with words that say whose
/// they are; `found`'s note too.
void add_under(named_work& to, const std::string& prefix,
               const std::string& whose, named_work found);

/// The commits behind objects, in their order; "": it stands for none, or is
/// not there.
std::vector<std::string> commits_behind(const repo& in,
                                        const std::vector<std::string>& ids);

/// What a repository that may be a clone has and none of its remotes.
struct unpublished_work {
  named_work own;
  std::vector<std::string> published; // commits that it got from elsewhere
  // Those that its own begin with: their first parents that are published.
  std::vector<std::string> boundary;
};

/// Of `own`, all that the repository has, what is not published. As published
/// counts what remotes are known to have, what it was cloned from, and where
/// the history of a shallow clone is cut off.
unpublished_work unpublished(const repo& in, const repo::facts& at,
                             named_work own);

/// A pack of what the objects have and the known commits have not.
void write_pack(const repo& in, const named_work& work,
                const std::vector<std::string>& tips,
                const std::vector<std::string>& known, int fd);

/// Those of the objects that cannot be packed, each with the reason.
std::map<std::string, std::string>
unpackable(const repo& in, const named_work& work,
           const std::vector<std::string>& tips,
           const std::vector<std::string>& known);

} // namespace greenroom::git
