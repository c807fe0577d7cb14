// Keys of a cluster: what one node changes holds on all.
#include "actors/cluster/shared_keys.hpp"

#include "messages/errors.hpp"
#include "tests/actors/cluster/linked_node.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

namespace greenroom::test {

namespace {

constexpr std::chrono::milliseconds seldom{3'600'000};

template <class Reply, class Handle, class Message>
refusal outcome(linked_node& node, const Handle& whom, const Message& message) {
  caf::scoped_actor self{node.system()};
  refusal result;
  result.message = "done";
  self->request(whom, timeout, message)
    .receive([](const Reply&) {},
             [&](const caf::error& e) { result = to_refusal(e); });
  return result;
}

bool knows(linked_node& node, const std::string& revoked) {
  auto all = node.shared();
  return std::ranges::find(all, revoked) != all.end();
}

} // namespace

TEST_CASE("a key that is revoked is dead on all nodes when that is answered") {
  cluster_certificates certificates{{"a", "b", "c"}};
  linked_node a{certificates, "a"};
  linked_node b{certificates, "b"};
  linked_node c{certificates, "c"};
  link_all({&a, &b, &c});
  // Each reads the keys anew for each that it is linked with.
  for (auto* node : {&a, &b, &c})
    await("it to have read", [&] { return node->shared().size() == 2; });
  auto keys =
    a.system().spawn(shared_keys, a.registry(), a.links_handle(), seldom);
  CHECK(outcome<done>(a, keys, revoke_key{"k1"}).message == "done");
  CHECK(knows(b, "k1"));
  CHECK(knows(c, "k1"));
  // Even where the store does not take it yet.
  CHECK(outcome<done>(a, keys, revoke_key{"stuck"}).code == errc::unavailable);
  CHECK(knows(b, "stuck"));
  // One that nobody has is looked for in the store, and is no news.
  auto looked = a.shared().size();
  auto heard = b.shared().size();
  CHECK(outcome<done>(a, keys, revoke_key{"unknown"}).code == errc::not_found);
  CHECK(a.shared().size() == looked + 1);
  CHECK(b.shared().size() == heard);
  // One that is made is read by all.
  auto before = b.shared().size();
  create_key fresh;
  fresh.key_id = "k2";
  CHECK(outcome<key_created>(a, keys, fresh).message == "done");
  CHECK(b.shared().size() == before + 1);
  CHECK(b.shared().back().empty());
  caf::anon_send_exit(keys, caf::exit_reason::user_shutdown);
}

TEST_CASE("a node that is linked with reads the keys anew") {
  cluster_certificates certificates{{"a", "b"}};
  linked_node a{certificates, "a"};
  auto b = std::make_unique<linked_node>(certificates, "b");
  link_all({&a, b.get()});
  await("a to read", [&] { return a.shared().size() == 1; });
  b.reset();
  auto keys =
    a.system().spawn(shared_keys, a.registry(), a.links_handle(), seldom);
  await("b to be gone", [&] { return !a.find("b"); });
  // Nobody is waited for who cannot be reached.
  CHECK(outcome<done>(a, keys, revoke_key{"k1"}).message == "done");
  linked_node again{certificates, "b"};
  link_all({&a, &again});
  await("both to read",
        [&] { return a.shared().size() == 2 && again.shared().size() == 1; });
  caf::anon_send_exit(keys, caf::exit_reason::user_shutdown);
}

TEST_CASE("a node that nobody can reach reads the keys by itself") {
  cluster_certificates certificates{{"a"}};
  linked_node a{certificates, "a"};
  auto keys = a.system().spawn(shared_keys, a.registry(), a.links_handle(),
                               std::chrono::milliseconds{1});
  await("it to read again and again", [&] { return a.shared().size() > 2; });
  caf::anon_send_exit(keys, caf::exit_reason::user_shutdown);
}

} // namespace greenroom::test
