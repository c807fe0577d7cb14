#include "runtime/git/inside/connect.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <thread>

namespace greenroom::git {

namespace {

bool write_all(int to, const char* bytes, std::size_t size) {
  while (size > 0) {
    auto written = ::write(to, bytes, size);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return false;
    bytes += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

// False: what came could not be delivered.
bool carry(int from, int to) {
  std::array<char, 65536> buffer;
  for (;;) {
    auto got = ::read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return got == 0;
    if (!write_all(to, buffer.data(), static_cast<std::size_t>(got)))
      return false;
  }
}

} // namespace

// Through a descriptor of the directory, since the path of a socket must be
// short.
unique_fd dial_origin(const std::filesystem::path& directory) {
  unique_fd top{::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  unique_fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path,
                "/proc/self/fd/%d/origin/socket", top.get());
  if (!top
      || ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address),
                   sizeof address)
           != 0)
    socket.reset();
  return socket;
}

int connect_origin(const std::filesystem::path& directory) {
  std::signal(SIGPIPE, SIG_IGN);
  auto socket = dial_origin(directory);
  if (!socket) {
    std::cerr << "greenroom: origin cannot be reached: " << std::strerror(errno)
              << '\n';
    return EXIT_FAILURE;
  }
  // Where git still speaks when the answer is over, nobody listens any more.
  std::thread{[fd = socket.get()] {
    carry(STDIN_FILENO, fd);
    ::shutdown(fd, SHUT_WR);
  }}.detach();
  auto whole = carry(socket.get(), STDOUT_FILENO);
  std::_Exit(whole ? EXIT_SUCCESS : EXIT_FAILURE);
}

} // namespace greenroom::git
