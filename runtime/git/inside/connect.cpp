#include "runtime/git/inside/connect.hpp"

#include "runtime/base/fd.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
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

// From the directory itself, since the path of a socket must be short.
unique_fd dial(const std::filesystem::path& directory) {
  unique_fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, "origin/socket");
  if (::chdir(directory.c_str()) != 0
      || ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address),
                   sizeof address)
           != 0)
    socket.reset();
  return socket;
}

} // namespace

int connect_origin(const std::filesystem::path& directory) {
  std::signal(SIGPIPE, SIG_IGN);
  auto socket = dial(directory);
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
