// Who commits are by, as git takes it.
#pragma once

#include "runtime/git/common/author.hpp"
#include "runtime/git/mirror/handles.hpp"

namespace greenroom::git {

/// Of now. Without line breaks and angle brackets; what is empty then gets a
/// name of ours.
signature_handle sign(const author& by);

} // namespace greenroom::git
