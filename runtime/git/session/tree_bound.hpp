// Whether the files of a commit are more than a session may have.
//
// A pack of a few kilobytes can stand for any number of files of any size, and
// what a session holds is measured only while its commands run: so it is looked
// at before the checkout is made, and before a push changes it
// (inside/received_tree.hpp). That costs a fiftieth of making it.
#pragma once

#include "runtime/git/common/tree_listing.hpp"

#include <filesystem>
#include <string>

namespace greenroom::git {

/// Throws refused(conflict) where `tree`, of a repository that nobody but us
/// has written in, has more than `limits`. Stops reading there. Blocks.
void check_tree(const std::filesystem::path& git_dir, const std::string& tree,
                const tree_limits& limits);

} // namespace greenroom::git
