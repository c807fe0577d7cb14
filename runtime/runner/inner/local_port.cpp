#include "runtime/runner/inner/local_port.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace greenroom::runner {

namespace {

using steady = std::chrono::steady_clock;

constexpr std::chrono::seconds timeout{3};

// Waits for the connection to be made; false, and errno, where it is not.
bool becomes_connected(int fd, steady::time_point deadline) {
  for (;;) {
    auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - steady::now());
    pollfd item{fd, POLLOUT, 0};
    auto count = ::poll(
      &item, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0) {
      errno = ETIMEDOUT;
      return false;
    }
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    errno = error;
    return error == 0;
  }
}

template <class Address>
unique_fd connect_to(const Address& address, int family,
                     steady::time_point deadline) {
  unique_fd result{
    ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!result)
    return result;
  if (::connect(result.get(), reinterpret_cast<const sockaddr*>(&address),
                sizeof address)
        == 0
      || (errno == EINPROGRESS && becomes_connected(result.get(), deadline)))
    return result;
  auto error = errno;
  result.reset();
  errno = error;
  return result;
}

} // namespace

unique_fd connect_to_local_port(const local_port& port) {
  auto deadline = steady::now() + timeout;
  auto error = ECONNREFUSED;
  if (port.v4) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port.number);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (auto result = connect_to(address, AF_INET, deadline))
      return result;
    // What is said of the first is said of both, where there is no second.
    error = errno;
  }
  if (port.v6) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port.number);
    address.sin6_addr = in6addr_loopback;
    if (auto result = connect_to(address, AF_INET6, deadline))
      return result;
    if (!port.v4)
      error = errno;
  }
  errno = error;
  return {};
}

} // namespace greenroom::runner
