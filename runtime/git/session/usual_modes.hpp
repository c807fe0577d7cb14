// The modes of what sessions are given.
#pragma once

#include <sched.h>
#include <sys/stat.h>

namespace greenroom {

/// What a session is given, and the objects that it borrows, have the modes
/// that programs expect, whatever mask the node has. For the calling thread
/// only, which is one that works for git: others' secrets have the node's.
inline void use_usual_modes() {
  if (::unshare(CLONE_FS) == 0)
    ::umask(022);
}

} // namespace greenroom
