// What git is in the middle of: a rebase, merge, cherry-pick, revert, am or
// bisect.
#pragma once

#include "runtime/git/inside/repo.hpp"

namespace greenroom::git {

/// Throws operation_fault that names what is under way and the commands that
/// end it.
void refuse_operation(const repo::facts& at);

} // namespace greenroom::git
