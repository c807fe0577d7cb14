// Contents of Git LFS that sessions left in the mirror.
//
// Until they are delivered they are files in the tree of a commit, each under
// its SHA-256, which lies at a session's rescue ref `lfs`. Those of
// repositories inside are not of this upstream.
#pragma once

#include "runtime/base/fd.hpp"
#include "runtime/git/common/lfs_pointer.hpp"
#include "runtime/git/mirror/mirror.hpp"

#include <string>
#include <vector>

namespace greenroom::git {

/// The commits with such contents that are kept under rescue refs of this node,
/// or of another one if they were asked for.
std::vector<std::string> rescued_lfs(const mirror& mirror);

/// Asks the upstream for those that go with a rescue ref, by its full name.
/// Throws as mirror::fetch_ref does.
void fetch_rescued_lfs(const mirror& mirror, const std::string& name);

/// From the first of these commits that has them in that size, to be read;
/// empty where none has. Nobody has compared them with the id. Throws what the
/// machine did.
unique_fd kept_contents(const mirror& mirror,
                        const std::vector<std::string>& commits,
                        const lfs_object& what);

} // namespace greenroom::git
