#include "tests/support/sockets.hpp"

#include "tests/support/eventually.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <random>
#include <stdexcept>
#include <system_error>

namespace greenroom::test {

namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

} // namespace

unique_fd connect_to(std::uint16_t port, int receive_buffer) {
  unique_fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!socket)
    fail("socket");
  if (receive_buffer != 0
      && ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer,
                      sizeof receive_buffer)
           != 0)
    fail("SO_RCVBUF");
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
    fail("connect");
  return socket;
}

// Below those that the system gives to whoever wants any, lest it is given to
// another connection before it is used.
std::uint16_t unused_port() {
  std::random_device random;
  std::uniform_int_distribution<int> ports{20'000, 32'000};
  for (int tries = 0; tries < 100; ++tries) {
    unique_fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const auto port = static_cast<std::uint16_t>(ports(random));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (socket
        && ::bind(socket.get(), reinterpret_cast<sockaddr*>(&at), sizeof at)
             == 0)
      return port;
  }
  fail("finding a port");
}

local_listener listen_locally() {
  local_listener result{
    unique_fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)}};
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  auto* address = reinterpret_cast<sockaddr*>(&at);
  if (::bind(result.socket.get(), address, size) != 0
      || ::listen(result.socket.get(), 64) != 0
      || ::getsockname(result.socket.get(), address, &size) != 0)
    fail("listen");
  result.port = ntohs(at.sin_port);
  return result;
}

bool readable(const unique_fd& socket, const unique_fd& stop) {
  std::array<pollfd, 2> both{
    {{socket.get(), POLLIN, 0}, {stop.get(), POLLIN, 0}}};
  while (::poll(both.data(), both.size(), -1) < 0)
    if (errno != EINTR)
      return false;
  return both[1].revents == 0;
}

void send_all(const unique_fd& socket, std::string_view bytes) {
  while (!bytes.empty()) {
    auto sent = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0)
      fail("send");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool receive(const unique_fd& socket, std::string& out, std::size_t at_most) {
  pollfd readable{socket.get(), POLLIN, 0};
  auto limit = std::chrono::milliseconds{timeout}.count();
  if (::poll(&readable, 1, static_cast<int>(limit)) != 1)
    throw std::runtime_error("nothing more came from the server in time");
  std::array<char, 64 * 1024> buffer;
  auto got =
    ::recv(socket.get(), buffer.data(), std::min(buffer.size(), at_most), 0);
  if (got <= 0)
    return false;
  out.append(buffer.data(), static_cast<std::size_t>(got));
  return true;
}

} // namespace greenroom::test
