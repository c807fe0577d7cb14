// One index over all packs of a mirror, and a bitmap of what its commits reach.
//
// Each fetch and check-in leaves a pack, and none is ever removed, since
// sessions borrow from them. With the index git finds an object by one look-up,
// however many packs there are; with the bitmap it need not walk the history to
// know what a clone gets. Sessions have the use of both, for git looks for them
// beside the packs that it borrows. libgit2 uses the index.
#pragma once

#include <filesystem>

namespace greenroom::git {

/// Makes them, or makes them anew where much has come since; false: there was
/// nothing to do, as for a mirror of a few thousand objects. What lies in no
/// pack, as merges leave it, is put into one as well, or there could be no
/// bitmap. Nothing is removed.
///
/// Blocks, some seconds for a million objects; ends early, with nothing made,
/// once `stop_fd` can be read. One thread at a time for a mirror. Throws
/// std::runtime_error with git's reason.
bool index_packs(const std::filesystem::path& mirror, int stop_fd);

} // namespace greenroom::git
