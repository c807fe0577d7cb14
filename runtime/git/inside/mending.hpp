// Settings that git cannot read: one line of garbage in ~/.gitconfig or in
// .git/config, and no command of git's runs any more.
//
// For what rescues the work of a session that is over. The lines at which git
// stops are taken out, and the file as it was is kept beside it, NAME.damaged.
// Not where such a line may say what git ignores, or what passes a filter:
// without it more might leave the session than was meant to.
#pragma once

#include "runtime/git/inside/repo.hpp"

#include <optional>
#include <string>

namespace greenroom::git {

/// What was left out, now and before, in a sentence for the user; nullopt: all
/// is as it was, since that is not what is wrong, or cannot be put right.
std::optional<std::string> mend_settings(const repo& in);

/// The same sentence for who finds the settings mended by a call whose work was
/// then not done; nullopt: there was none.
std::optional<std::string> mended_before(const repo& in);

} // namespace greenroom::git
