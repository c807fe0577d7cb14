// Removes a directory that somebody else has filled.
//
// What lies there may be deeper than a path is long or this process has
// descriptors, and may be closed to us who own it. So the tree is not walked
// down: each directory's own directories are moved up to the top before it is
// removed. Three descriptors and little memory, however deep; no symbolic link
// is followed. Nothing may write there meanwhile.
#pragma once

#include <filesystem>

namespace greenroom {

/// Removes what is there, a directory with all that is in it or a file. Nothing
/// there is no error. Removes as much as it can, then throws std::system_error
/// that names the first thing that could not be removed; calling it again goes
/// on from there.
void remove_tree(const std::filesystem::path& path);

} // namespace greenroom
