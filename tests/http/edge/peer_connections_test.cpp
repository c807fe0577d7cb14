// Which connections to this node's own listeners are other nodes'.
#include "http/edge/peer_connections.hpp"

#include <catch2/catch.hpp>
#include <netinet/in.h>
#include <sys/socket.h>

using namespace greenroom;
using http::peer_connections;

namespace {

class listening {
public:
  explicit listening(int family)
    : socket_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    where.ss_family = static_cast<sa_family_t>(family);
    if (family == AF_INET)
      reinterpret_cast<sockaddr_in&>(where).sin_addr.s_addr =
        htonl(INADDR_LOOPBACK);
    else
      reinterpret_cast<sockaddr_in6&>(where).sin6_addr = in6addr_loopback;
    ready = ::bind(socket_.get(), &address(), size) == 0
            && ::listen(socket_.get(), 8) == 0
            && ::getsockname(socket_.get(), &address(), &size) == 0;
  }
  sockaddr& address() {
    return reinterpret_cast<sockaddr&>(where);
  }
  unique_fd accept() {
    return unique_fd{::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  }
  unique_fd stranger() {
    unique_fd result{::socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    REQUIRE(::connect(result.get(), &address(), size) == 0);
    return result;
  }

  sockaddr_storage where{};
  socklen_t size = sizeof where;
  bool ready = false;

private:
  unique_fd socket_;
};

} // namespace

TEST_CASE("a listener tells other nodes' connections from clients', once") {
  auto family = GENERATE(AF_INET, AF_INET6);
  listening there{family};
  if (!there.ready)
    return; // no IPv6 here
  peer_connections all;
  auto client = there.stranger();
  CHECK_FALSE(all.take(there.accept().get()));
  auto peer = all.connect(there.address(), there.size);
  REQUIRE(peer);
  auto accepted = there.accept();
  auto again = there.stranger();
  CHECK_FALSE(all.take(there.accept().get()));
  CHECK(all.take(accepted.get()));
  CHECK_FALSE(all.take(accepted.get()));
}

TEST_CASE("nobody else comes from the address of one that is not found yet") {
  listening there{AF_INET};
  peer_connections all;
  sockaddr_in from{};
  socklen_t size = sizeof from;
  {
    auto peer = all.connect(there.address(), there.size);
    REQUIRE(peer);
    REQUIRE(::getsockname(peer.get(), reinterpret_cast<sockaddr*>(&from), &size)
            == 0);
  }
  unique_fd other{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  int yes = 1;
  ::setsockopt(other.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  CHECK((::bind(other.get(), reinterpret_cast<sockaddr*>(&from), size) != 0
         || ::connect(other.get(), &there.address(), there.size) != 0));
}

TEST_CASE("only so many wait to be found, and none for ever") {
  listening there{AF_INET};
  peer_connections all{2};
  auto first = all.connect(there.address(), there.size);
  auto second = all.connect(there.address(), there.size);
  REQUIRE(first);
  REQUIRE(second);
  CHECK_FALSE(all.connect(there.address(), there.size));
  auto accepted = there.accept();
  CHECK(all.take(accepted.get()));
  auto third = all.connect(there.address(), there.size);
  CHECK(third);
  const auto now = peer_connections::clock::now();
  all.forget_lost(now + peer_connections::longest_wait / 2);
  CHECK_FALSE(all.connect(there.address(), there.size));
  all.forget_lost(now + 2 * peer_connections::longest_wait);
  accepted = there.accept();
  CHECK_FALSE(all.take(accepted.get()));
  CHECK(all.connect(there.address(), there.size));
}
