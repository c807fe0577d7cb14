// What git is in the middle of: a rebase, merge, cherry-pick, revert, am or
// bisect.
#pragma once

#include "runtime/git/inside/repo.hpp"

#include <optional>
#include <string>

namespace greenroom::git {

/// What is under way and the commands that end it, in a sentence for the user;
/// nullopt: nothing is.
std::optional<std::string> operation_at(const repo::facts& at);

/// Throws operation_fault with that sentence.
void refuse_operation(const repo::facts& at);

} // namespace greenroom::git
