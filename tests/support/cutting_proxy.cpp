#include "tests/support/cutting_proxy.hpp"

#include "tests/support/sockets.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <list>
#include <utility>
#include <vector>

namespace greenroom::test {

namespace {

struct pair {
  unique_fd client;
  unique_fd server;
  std::size_t left = 0;
};

// Passes on what is there; false where the connection is to end.
bool pass(const unique_fd& from, const unique_fd& to, std::size_t& left) {
  std::array<char, 4096> buffer;
  auto got = ::recv(from.get(), buffer.data(), std::min(left, buffer.size()),
                    MSG_DONTWAIT);
  if (got < 0)
    return true;
  if (got == 0)
    return false;
  left -= static_cast<std::size_t>(got);
  try {
    send_all(to, {buffer.data(), static_cast<std::size_t>(got)});
  } catch (const std::exception&) {
    return false;
  }
  return left > 0;
}

} // namespace

cutting_proxy::cutting_proxy(std::uint16_t server, std::size_t least,
                             std::size_t most, unsigned seed)
  : server_(server), random_(seed), budget_(least, most),
    stop_(::eventfd(0, EFD_CLOEXEC)) {
  auto at = listen_locally();
  listener_ = std::move(at.socket);
  port_ = at.port;
  thread_ = std::thread{[this] { run(); }};
}

cutting_proxy::~cutting_proxy() {
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

void cutting_proxy::run() {
  std::list<pair> open;
  while (true) {
    std::vector<pollfd> all{{stop_.get(), POLLIN, 0},
                            {listener_.get(), POLLIN, 0}};
    for (auto& one : open) {
      all.push_back({one.client.get(), POLLIN, 0});
      all.push_back({one.server.get(), POLLIN, 0});
    }
    ::poll(all.data(), all.size(), -1);
    if (all[0].revents != 0)
      return;
    std::size_t at = 2;
    for (auto one = open.begin(); one != open.end(); at += 2) {
      auto whole =
        (all[at].revents == 0 || pass(one->client, one->server, one->left))
        && (all[at + 1].revents == 0
            || pass(one->server, one->client, one->left));
      if (!whole && one->left == 0)
        ++cuts_;
      one = whole ? std::next(one) : open.erase(one);
    }
    if (all[1].revents == 0)
      continue;
    unique_fd client{
      ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    try {
      if (client)
        open.push_back(
          {std::move(client), connect_to(server_), budget_(random_)});
    } catch (const std::exception&) {
      // The server is away: so is its client's connection.
    }
  }
}

} // namespace greenroom::test
