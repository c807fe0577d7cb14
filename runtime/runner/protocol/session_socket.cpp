#include "runtime/runner/protocol/session_socket.hpp"

#include "runtime/runner/protocol/session_files.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstdio>

namespace greenroom::runner {

sockaddr_un socket_address(int dir) {
  sockaddr_un result{};
  result.sun_family = AF_UNIX;
  std::snprintf(result.sun_path, sizeof result.sun_path, "/proc/self/fd/%d/%s",
                dir, socket_file);
  return result;
}

unique_fd connect_to_runner(int dir) {
  unique_fd result{
    ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!result)
    return result;
  auto address = socket_address(dir);
  if (::connect(result.get(), reinterpret_cast<const sockaddr*>(&address),
                sizeof address)
      != 0) {
    auto error = errno;
    result.reset();
    errno = error;
  }
  return result;
}

} // namespace greenroom::runner
