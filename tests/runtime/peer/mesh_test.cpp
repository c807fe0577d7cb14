#include "tests/runtime/peer/mesh_node.hpp"

#include <catch2/catch.hpp>
#include <sys/socket.h>

#include <cstring>
#include <numeric>
#include <thread>

namespace greenroom::test {

namespace {

using namespace std::chrono_literals;

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    auto size = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size <= 0)
      return;
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
}

/// Up to `most` bytes, or as many as came before the end.
std::string read_up_to(int fd, std::size_t most) {
  std::string result(most, '\0');
  std::size_t got = 0;
  while (got < most) {
    auto size = ::recv(fd, result.data() + got, most - got, 0);
    if (size <= 0)
      break;
    got += static_cast<std::size_t>(size);
  }
  result.resize(got);
  return result;
}

std::string bytes_of(std::size_t size) {
  std::string result(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    result[i] = static_cast<char>(i * 7 + (i >> 10));
  return result;
}

/// Both ends of the link between two nodes.
struct link_ends {
  link_ends(mesh_node& a, mesh_node& b)
    : first(a.mesh().take(a.link_with(b.where().node).number)),
      second(b.mesh().take(b.link_with(a.where().node).number)) {}
  unique_fd first;
  unique_fd second;
};

void release_all(mesh_node& node, std::uint64_t up_to = 100) {
  for (std::uint64_t number = 1; number <= up_to; ++number)
    node.mesh().release(number);
}

} // namespace

TEST_CASE("three nodes are linked with each other, once each") {
  cluster_certificates certificates{{"a", "b", "c"}};
  mesh_node a{certificates, "a"};
  mesh_node b{certificates, "b"};
  mesh_node c{certificates, "c"};
  introduce({&a, &b, &c});
  await_link(a, b);
  await_link(a, c);
  await_link(b, c);
  CHECK(a.link_with("b").dialed);
  CHECK(a.link_with("c").dialed);
  CHECK_FALSE(b.link_with("a").dialed);
  CHECK(b.link_with("c").dialed);
  CHECK(a.link_with("b").incarnation != a.link_with("c").incarnation);
  for (auto* node : {&a, &b, &c}) {
    CHECK(node->links_made() == 2);
    CHECK(node->mesh().counters().strangers == 0);
  }
}

TEST_CASE("bytes go both ways over a link, and its end is told") {
  cluster_certificates certificates{{"a", "b"}};
  mesh_node a{certificates, "a"};
  mesh_node b{certificates, "b"};
  introduce({&a, &b});
  await_link(a, b);
  link_ends ends{a, b};
  REQUIRE(ends.first);
  REQUIRE(ends.second);
  write_all(ends.first.get(), "ping");
  CHECK(read_up_to(ends.second.get(), 4) == "ping");
  write_all(ends.second.get(), "pong");
  CHECK(read_up_to(ends.first.get(), 4) == "pong");
  ends.first.reset();
  CHECK(read_up_to(ends.second.get(), 1).empty());
  ends.second.reset();
  await("the end",
        [&] { return !a.reasons().empty() && !b.reasons().empty(); });
  CHECK(a.reasons().front() == "it was closed");
}

TEST_CASE("64 MiB go through a link whose reader is slow, in bounded memory") {
  cluster_certificates certificates{{"a", "b"}};
  mesh_node a{certificates, "a"};
  mesh_node b{certificates, "b"};
  introduce({&a, &b});
  await_link(a, b);
  link_ends ends{a, b};
  // Until somebody reads, no more is taken than windows and sockets hold.
  auto block = bytes_of(1 << 20);
  std::size_t taken = 0;
  timeval soon{2, 0};
  ::setsockopt(ends.first.get(), SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon);
  for (;;) {
    auto size =
      ::send(ends.first.get(), block.data(), block.size(), MSG_NOSIGNAL);
    if (size <= 0)
      break;
    taken += static_cast<std::size_t>(size);
  }
  CHECK(taken > 1 << 20);
  CHECK(taken < 8 << 20);
  timeval none{};
  ::setsockopt(ends.first.get(), SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
  std::thread writer{[&] {
    for (int i = 0; i < 64; ++i)
      write_all(ends.first.get(), block);
    ::shutdown(ends.first.get(), SHUT_WR);
  }};
  read_up_to(ends.second.get(), taken);
  bool same = true;
  for (int i = 0; i < 64; ++i)
    same = read_up_to(ends.second.get(), block.size()) == block && same;
  CHECK(same);
  CHECK(read_up_to(ends.second.get(), 1).empty());
  writer.join();
  // The other direction is still open.
  write_all(ends.second.get(), "done");
  CHECK(read_up_to(ends.first.get(), 4) == "done");
  CHECK(a.reasons().empty());
}

TEST_CASE("a link that is cut comes again once it is released on both sides") {
  cluster_certificates certificates{{"a", "b"}};
  mesh_node a{certificates, "a"};
  mesh_node b{certificates, "b"};
  introduce({&a, &b});
  await_link(a, b);
  auto first = a.link_with("b").number;
  auto seconds = b.link_with("a").number;
  b.mesh().cut(seconds, "for a test");
  await("both to know",
        [&] { return a.reasons().size() == 1 && b.reasons().size() == 1; });
  CHECK_THAT(b.reasons().front(), Catch::Contains("for a test"));
  a.mesh().release(first);
  await("b to say that it is not ready",
        [&] { return b.mesh().counters().objected > 0; });
  CHECK(b.links_made() == 1);
  b.mesh().release(seconds);
  await_link(a, b);
  CHECK(a.link_with("b").number != first);
  CHECK(a.links_made() == 2);
}

TEST_CASE("a node that was started anew replaces its former life") {
  cluster_certificates certificates{{"a", "b"}};
  mesh_node b{certificates, "b"};
  auto a = std::make_unique<mesh_node>(certificates, "a");
  introduce({a.get(), &b});
  await_link(*a, b);
  auto former = b.link_with("a").incarnation;
  a.reset();
  await("b to know", [&] { return b.reasons().size() == 1; });
  release_all(b);
  mesh_node again{certificates, "a"};
  introduce({&again, &b});
  await_link(again, b);
  CHECK(b.link_with("a").incarnation != former);
}

TEST_CASE("a node that has left is not linked with any more") {
  cluster_certificates certificates{{"a", "b"}};
  mesh_node a{certificates, "a"};
  mesh_node b{certificates, "b"};
  introduce({&a, &b});
  await_link(a, b);
  a.mesh().set_nodes({a.where()});
  await("the end",
        [&] { return !a.reasons().empty() && !b.reasons().empty(); });
  CHECK_THAT(a.reasons().front(), Catch::Contains("has left the cluster"));
  release_all(a);
  release_all(b);
  CHECK(a.links_made() == 1);
}

TEST_CASE("streams are conversations of their own, with ends of their own") {
  cluster_certificates certificates{{"a", "b"}};
  mesh_node a{certificates, "a"};
  mesh_node b{certificates, "b"};
  introduce({&a, &b});
  // Whoever begins, whatever the names.
  std::mutex mutex;
  unique_fd opened;
  b.mesh().open_stream("a", "echo", [&](unique_fd bytes, const std::string&) {
    std::lock_guard lock{mutex};
    opened = std::move(bytes);
  });
  std::vector<std::pair<std::string, unique_fd>> came;
  await("the stream", [&] {
    if (came.empty())
      came = a.take_streams();
    std::lock_guard lock{mutex};
    return !came.empty() && opened;
  });
  CHECK(came.front().first == "b");
  auto& other = came.front().second;
  write_all(opened.get(), "question");
  ::shutdown(opened.get(), SHUT_WR);
  CHECK(read_up_to(other.get(), 100) == "question");
  write_all(other.get(), "answer");
  other.reset();
  CHECK(read_up_to(opened.get(), 100) == "answer");
  std::string why;
  // What there is not is told by the end.
  unique_fd none;
  b.mesh().open_stream("a", "what", [&](unique_fd bytes, const std::string&) {
    std::lock_guard lock{mutex};
    none = std::move(bytes);
  });
  await("the stream", [&] {
    std::lock_guard lock{mutex};
    return static_cast<bool>(none);
  });
  CHECK(read_up_to(none.get(), 1).empty());
  b.mesh().open_stream("z", "echo", [&](unique_fd, const std::string& problem) {
    std::lock_guard lock{mutex};
    why = problem;
  });
  await("the refusal", [&] {
    std::lock_guard lock{mutex};
    return !why.empty();
  });
  CHECK(why == "no node z is known");
}

TEST_CASE("nodes that do not fit say so, both of them") {
  cluster_certificates certificates{{"a", "b"}};
  mesh_node a{certificates, "a"};
  mesh_node b{certificates, "b",
              [](peer::mesh_options& o) { o.cluster = "another"; }};
  introduce({&a, &b});
  await("both to complain",
        [&] { return !a.troubles().empty() && !b.troubles().empty(); });
  CHECK(a.troubles().front()
        == "node a is of the cluster test and node b of another: give both the "
           "same storage.url");
  CHECK_THAT(b.troubles().front(), Catch::Contains("same storage.url"));
  CHECK(a.links_made() == 0);
  CHECK(b.links_made() == 0);
}

TEST_CASE("a node that is not there is named, and found when it comes") {
  cluster_certificates certificates{{"a", "b"}};
  mesh_node a{certificates, "a"};
  auto b = std::make_unique<mesh_node>(certificates, "b");
  auto where = b->where();
  b.reset();
  a.mesh().set_nodes({where});
  await("a to complain", [&] { return !a.troubles().empty(); });
  CHECK_THAT(a.troubles().front(),
             Catch::Contains("node b cannot be reached: Connection refused"));
  mesh_node again{certificates, "b"};
  introduce({&a, &again});
  await_link(a, again);
}

TEST_CASE("a node that comes tells those that are to dial it") {
  cluster_certificates certificates{{"a", "b"}};
  mesh_node a{certificates, "a"};
  mesh_node b{certificates, "b"};
  // a has not heard of it.
  b.mesh().set_nodes({a.where(), b.where()});
  await("a to be told", [&] { return !a.arrivals().empty(); });
  CHECK(a.arrivals() == std::vector<std::string>{"b"});
  CHECK(a.mesh().counters().objected == 0);
  a.mesh().set_nodes({a.where(), b.where()});
  await_link(a, b);
  CHECK(b.arrivals().empty());
}

TEST_CASE("a node that comes back is dialed at once, whatever the pause") {
  cluster_certificates certificates{{"a", "b"}};
  mesh_node a{certificates, "a",
              [](peer::mesh_options& o) { o.first_pause = 3600s; }};
  auto b = std::make_unique<mesh_node>(certificates, "b");
  auto where = b->where();
  b.reset();
  a.mesh().set_nodes({where});
  await("a to complain", [&] { return !a.troubles().empty(); });
  mesh_node again{certificates, "b",
                  [&](peer::mesh_options& o) { o.port = where.port; }};
  again.mesh().set_nodes({a.where()});
  await_link(a, again);
}

TEST_CASE("a peer that is not heard for a time counts as gone") {
  cluster_certificates certificates{{"a", "b"}};
  mesh_node a{certificates, "a", [](peer::mesh_options& o) {
                o.timeout = 300ms;
                o.heartbeat = 100ms;
              }};
  // Says nothing for an hour.
  mesh_node b{certificates, "b",
              [](peer::mesh_options& o) { o.heartbeat = 3600s; }};
  introduce({&a, &b});
  await("a to give up", [&] { return !a.reasons().empty(); });
  CHECK_THAT(a.reasons().front(), Catch::Contains("nothing was heard for 300"));
}

} // namespace greenroom::test
