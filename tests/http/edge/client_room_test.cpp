#include "http/edge/client_room.hpp"

#include <catch2/catch.hpp>

#include <sys/socket.h>

#include <array>
#include <list>
#include <memory>
#include <string>

using namespace greenroom;
using namespace greenroom::http;

namespace {

struct client {
  std::string address;
  std::shared_ptr<void> place;
  bool idle = false;
  bool stopped = false;

  bool is_of(const std::string& whom) const {
    return address == whom;
  }
  bool stop_if_idle() {
    return idle && !std::exchange(stopped, true);
  }
};

struct listener {
  explicit listener(client_room& of) : room(of) {
    std::array<int, 2> pair{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data())
            == 0);
    socket.reset(pair[0]);
    other.reset(pair[1]);
  }

  /// A pair of sockets has no address.
  bool take(bool of_peer = false) {
    auto place = room.take(socket, clients, of_peer);
    if (place)
      clients.push_back(std::make_shared<client>(
        of_peer ? address_shares::other_nodes : "unknown", place));
    return place != nullptr;
  }
  void sweep() {
    std::erase_if(clients, [](auto& one) { return one->stopped; });
  }

  client_room& room;
  unique_fd socket;
  unique_fd other;
  std::list<std::shared_ptr<client>> clients;
};

} // namespace

TEST_CASE("an address has its share of a listener's connections") {
  client_room room{32, 0};
  listener all{room};
  for (int i = 0; i < 30; ++i)
    CHECK(all.take());
  CHECK_FALSE(all.take());
  all.clients.pop_front();
  CHECK(all.take());
  CHECK_FALSE(all.take());
}

TEST_CASE("what another node connects takes nothing of an address's share") {
  client_room room{8, 2};
  listener all{room};
  CHECK(all.take());
  CHECK(all.take());
  CHECK_FALSE(all.take());
  for (int i = 0; i < 6; ++i)
    CHECK(all.take(true));
  CHECK_FALSE(all.take(true));
}

TEST_CASE("other nodes have a share as well, and make room for themselves") {
  client_room room{32, 0};
  listener all{room};
  for (int i = 0; i < 30; ++i)
    CHECK(all.take(true));
  CHECK_FALSE(all.take(true));
  CHECK(all.take());
  all.clients.back()->idle = true; // makes room for no node
  CHECK_FALSE(all.take(true));
  CHECK_FALSE(all.clients.back()->stopped);
  CHECK(all.take());
  all.clients.front()->idle = true;
  CHECK(all.take(true));
  CHECK(all.clients.front()->stopped);
}

TEST_CASE("one that waits makes room, however often") {
  for (auto share : {4, 8}) {
    client_room room{4, static_cast<std::size_t>(share)};
    listener all{room};
    for (int i = 0; i < 4; ++i)
      CHECK(all.take());
    CHECK_FALSE(all.take());
    for (int i = 0; i < 20; ++i) {
      all.clients.front()->idle = true;
      CHECK(all.take());
      all.sweep();
      CHECK(all.clients.size() == 4);
      CHECK_FALSE(all.take());
    }
  }
}

TEST_CASE("others do not make room for who has a share of its own") {
  client_room room{8, 2};
  listener all{room};
  CHECK(all.take());
  CHECK(all.take());
  all.clients.push_back(std::make_shared<client>("10.0.0.1", nullptr, true));
  CHECK_FALSE(all.take());
  CHECK_FALSE(all.clients.back()->stopped);
}
