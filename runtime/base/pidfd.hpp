// Processes pinned by a descriptor: a number may be another process's by the
// time it is used, a pidfd never is.
#pragma once

#include "runtime/base/fd.hpp"

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

namespace greenroom {

// By number, because Debian 12's <sys/pidfd.h> declares these for C only.

/// Readable when the process has ended; none, and errno, where there is no
/// such process.
inline unique_fd open_pidfd(pid_t pid) noexcept {
  return unique_fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
}

/// False, and errno, where the process has ended or is not ours.
inline bool signal_pidfd(const unique_fd& process, int signal) noexcept {
  return ::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0)
         == 0;
}

} // namespace greenroom
