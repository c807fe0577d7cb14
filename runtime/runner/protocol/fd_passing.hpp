// Datagrams on Unix sockets that carry descriptors (SCM_RIGHTS).
#pragma once

#include "runtime/base/fd.hpp"

#include <sys/types.h>

#include <span>
#include <vector>

namespace greenroom::runner {

/// More than this never travel in one datagram.
inline constexpr std::size_t max_passed_fds = 8;

/// As send(2), with copies of `fds`; never raises SIGPIPE. EINVAL for more
/// descriptors than may travel.
ssize_t send_with_fds(int socket, std::span<const char> bytes,
                      std::span<const int> fds, int flags);

struct fd_datagram {
  ssize_t size = -1; // as recv(2) returns it, errno too
  std::vector<unique_fd> fds;
  bool cut = false; // bytes or descriptors of it are missing
  pid_t sender = 0; // where the socket has SO_PASSCRED
};

/// As recv(2). Whoever sends may be hostile: of any number of descriptors the
/// first max_passed_fds are owned by the result, and closed on exec; the others
/// are closed at once and the datagram counts as cut.
fd_datagram receive_with_fds(int socket, std::span<char> buffer, int flags);

} // namespace greenroom::runner
