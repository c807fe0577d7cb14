#include "runtime/runner/outer/await_loopback.hpp"

#include "runtime/base/fd.hpp"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <tuple>

namespace greenroom::runner {

namespace {

constexpr int loopback_timeout_ms = 10'000;

// Of changes of links from now on.
unique_fd listen_to_links() {
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK;
  unique_fd result{
    ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
  if (!result
      || ::bind(result.get(), reinterpret_cast<sockaddr*>(&address),
                sizeof address)
           != 0)
    throw std::system_error(errno, std::generic_category(),
                            "the sandbox's links cannot be watched");
  return result;
}

bool loopback_is_up() {
  unique_fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ifreq link{};
  std::strcpy(link.ifr_name, "lo");
  return socket && ::ioctl(socket.get(), SIOCGIFFLAGS, &link) == 0
         && (link.ifr_flags & IFF_UP) != 0;
}

} // namespace

void await_loopback() {
  auto changes = listen_to_links();
  pollfd item{changes.get(), POLLIN, 0};
  while (!loopback_is_up()) {
    if (::poll(&item, 1, loopback_timeout_ms) <= 0)
      throw std::runtime_error("its loopback does not come up");
    std::array<char, 4096> ignored;
    std::ignore = ::recv(changes.get(), ignored.data(), ignored.size(), 0);
  }
}

} // namespace greenroom::runner
