// Actors of several nodes, over the links of runtime/peer.
#include "tests/actors/cluster/linked_node.hpp"

#include "messages/errors.hpp"

#include <catch2/catch.hpp>

#include <fstream>

namespace greenroom::test {

namespace {

/// The id of the project that a directory shows, which is its node's name.
std::string whose(caf::scoped_actor& self, const directory_actor& directory) {
  std::string result;
  self->request(directory, timeout, list_projects{})
    .receive([&](const project_list& all) { result = all.projects.front().id; },
             [&](const caf::error& e) { result = to_refusal(e).message; });
  return result;
}

/// Memory of this process that is in use, in bytes.
std::size_t resident() {
  std::ifstream in{"/proc/self/statm"};
  std::size_t all = 0;
  std::size_t used = 0;
  in >> all >> used;
  return used * 4096;
}

/// Waits until a monitored actor is down.
void await_down(caf::scoped_actor& self, const directory_actor& who) {
  bool down = false;
  self->receive(
    [&](const caf::down_msg& message) {
      down = message.source == who.address();
    },
    caf::after(timeout) >> [] {});
  CHECK(down);
}

} // namespace

TEST_CASE("actors of three nodes answer each other") {
  cluster_certificates certificates{{"a", "b", "c"}};
  linked_node a{certificates, "a"};
  linked_node b{certificates, "b"};
  linked_node c{certificates, "c"};
  link_all({&a, &b, &c});
  for (auto* node : {&a, &b, &c}) {
    caf::scoped_actor self{node->system()};
    for (std::string other : {"a", "b", "c"})
      if (other != node->record().name)
        CHECK(whose(self, node->await(other).directory) == other);
  }
}

TEST_CASE("a refusal keeps its code and sentence on the way") {
  cluster_certificates certificates{{"a", "b"}};
  linked_node a{certificates, "a"};
  linked_node b{certificates, "b"};
  link_all({&a, &b});
  caf::scoped_actor self{a.system()};
  refusal why;
  self->request(a.await("b").directory, timeout, find_project{"x"})
    .receive([](const project_actor&) {},
             [&](const caf::error& e) { why = to_refusal(e); });
  CHECK(why == refusal{errc::not_found, "project not found"});
}

TEST_CASE("an actor that ends is down on the other node, the link is not") {
  cluster_certificates certificates{{"a", "b"}};
  linked_node a{certificates, "a"};
  linked_node b{certificates, "b"};
  link_all({&a, &b});
  auto directory = a.await("b").directory;
  caf::scoped_actor self{a.system()};
  self->monitor(directory);
  self->request(directory, timeout, delete_project{})
    .receive([](done) {}, [](const caf::error&) { CHECK(false); });
  await_down(self, directory);
  CHECK(a.find("b"));
}

TEST_CASE("a node that ends is down at once, and reachable when it is back") {
  cluster_certificates certificates{{"a", "b"}};
  linked_node a{certificates, "a"};
  auto b = std::make_unique<linked_node>(certificates, "b");
  link_all({&a, b.get()});
  auto former = a.await("b");
  caf::scoped_actor self{a.system()};
  self->monitor(former.directory);
  b.reset();
  await_down(self, former.directory);
  std::string why;
  await("b to be unreachable", [&] { return !a.find("b", &why); });
  CHECK_THAT(why, Catch::StartsWith("node b cannot be reached: "));
  linked_node again{certificates, "b"};
  link_all({&a, &again});
  auto found = a.await("b");
  CHECK(found.incarnation != former.incarnation);
  CHECK(whose(self, found.directory) == "b");
}

TEST_CASE("the same holds for the node that was dialed") {
  cluster_certificates certificates{{"a", "b"}};
  auto a = std::make_unique<linked_node>(certificates, "a");
  linked_node b{certificates, "b"};
  link_all({a.get(), &b});
  caf::scoped_actor self{b.system()};
  auto former = b.await("a");
  self->monitor(former.directory);
  a.reset();
  await_down(self, former.directory);
  linked_node again{certificates, "a"};
  link_all({&again, &b});
  CHECK(whose(self, b.await("a").directory) == "a");
}

TEST_CASE("a link that is lost comes back, again and again, between the same "
          "two processes") {
  cluster_certificates certificates{{"a", "b"}};
  linked_node a{certificates, "a"};
  linked_node b{certificates, "b"};
  link_all({&a, &b});
  caf::scoped_actor self{a.system()};
  caf::scoped_actor other{b.system()};
  for (int i = 0; i < 10; ++i) {
    auto directory = a.await("b").directory;
    self->monitor(directory);
    // Either side may cut it first.
    (i % 2 == 0 ? a : b).meet({});
    (i % 2 == 0 ? b : a).meet({});
    await_down(self, directory);
    await("both to know", [&] { return !a.find("b") && !b.find("a"); });
    link_all({&a, &b});
    CHECK(whose(self, a.await("b").directory) == "b");
    CHECK(whose(other, b.await("a").directory) == "a");
  }
}

TEST_CASE("64 MiB of messages pass, a few under way at a time, in bounded "
          "memory") {
  cluster_certificates certificates{{"a", "b"}};
  linked_node a{certificates, "a"};
  linked_node b{certificates, "b"};
  link_all({&a, &b});
  auto directory = a.await("b").directory;
  caf::scoped_actor self{a.system()};
  const change_project message{"x", std::string(256 * 1024, 'x')};
  std::size_t before = 0;
  int answered = 0;
  for (int round = 0; round < 64; ++round) {
    for (int i = 0; i < 4; ++i)
      self->send(directory, message);
    for (int i = 0; i < 4; ++i)
      self->receive(
        [&](const project_record& x) { answered += x.repo == "262144"; },
        caf::after(timeout) >> [] {});
    if (round == 8)
      before = resident();
  }
  CHECK(answered == 256);
#ifdef __SANITIZE_ADDRESS__ // which keeps up to 256 MiB of what is given back
  CHECK(resident() < before + (300 << 20));
#else
  CHECK(resident() < before + (32 << 20));
#endif
}

} // namespace greenroom::test
