// The upstream as sessions see it: a bare repository beside the mirror's own
// references that has the upstream's branches, tags and HEAD under their own
// names, and what else of it was asked for by name (refs/pull/7/head), and
// borrows the mirror's objects.
//
// Only `git upload-pack` reads it. Cheap where nothing has moved; may be
// refreshed by several threads at once, and while somebody reads it.
#pragma once

#include "runtime/git/mirror/mirror.hpp"

#include <filesystem>
#include <string>

namespace greenroom::git {

/// Makes it what the mirror knows of the upstream now. Returns where it is.
std::filesystem::path refresh_view(const mirror& of,
                                   const std::string& default_branch);

} // namespace greenroom::git
