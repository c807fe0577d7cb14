// A checkpoint as a commit of the mirror: how it is written, and read again.
//
// Its tree is what lies in the work tree. Its message names all that the
// session has beside, a line each, and its parents are those commits, the
// session's branch first. What is named and is no commit (an annotated tag; a
// tag of a file) is in the tree of one more parent, the box: tags as files, for
// a tree cannot have a tag. So one reference brings all of it.
//
//   heads/main 0123…          a commit; for what is none, the one behind it
//   exact/tags/v1 4567…       the object itself, which the box has
//   objects 89ab…             the box
//
// Only sources in runtime/git include this.
#pragma once

#include "runtime/git/common/author.hpp"
#include "runtime/git/inside/named_work.hpp"
#include "runtime/git/mirror/handles.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace greenroom::git {

/// Names of named_object and what they lead to.
using object_names = std::vector<std::pair<std::string, std::string>>;

struct checkpoint_contents {
  std::string session_id;
  std::string branch; // of the session
  std::vector<named_object> work;
  author by{};
};

/// Writes the commit, and answers its id; nullopt where the one `before` says
/// the same. The objects are in the mirror.
std::optional<std::string>
write_checkpoint(git_repository* repo, const checkpoint_contents& what,
                 const std::optional<std::string>& before);

struct found_checkpoint {
  long long saved_at = 0; // seconds since 1970
  bool dirty = false;     // the files are not those of the first commit
  // All that is named, but for `tree`: whatever is in the mirror, tags made
  // again from the box.
  object_names named;
};

/// Reads one that may come from anybody who can push to the upstream: what it
/// does not have itself is passed over.
found_checkpoint read_checkpoint(git_repository* repo,
                                 const std::string& commit);

} // namespace greenroom::git
