// Opens a session's repository without trusting it.
//
// Whoever works in a session can write anything below its checkout, `.git`
// included. So before libgit2 looks at it: `.git` is a real directory, what
// libgit2 reads or writes in there are plain files and directories (a link
// would lead our reads and writes elsewhere, a FIFO would hold us up), and it
// borrows from no object store but our mirror's. Its configuration is not
// read at all: no include, work tree, filter or hook of it can act.
//
// The look comes before the use, and the session's commands may write there in
// between: so this is called inside the session's sandbox only, where nothing
// else is in reach.
#pragma once

#include "runtime/git/common/handles.hpp"
#include "runtime/git/inside/repo.hpp"

namespace greenroom::git {

/// Throws checkout_fault with what is wrong and what would do.
repository_handle open_session(const session_place& place);

} // namespace greenroom::git
