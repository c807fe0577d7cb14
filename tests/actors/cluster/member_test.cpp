// The cluster member's decisions, one by one.
#include "actors/cluster/machine/member.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace greenroom;
using namespace greenroom::cluster;

namespace {

constexpr millis lease = 12'000;

node_record some_node(const std::string& name, std::int64_t left = lease,
                      std::uint32_t sessions = 0) {
  node_record result;
  result.name = name;
  result.incarnation = name + '-' + '1';
  result.lease_left = left;
  result.sessions = sessions;
  if (left <= 0)
    result.state = node_state::down;
  return result;
}

owner_record owned(const std::string& project, const std::string& by,
                   std::uint64_t epoch) {
  return {project, by, {}, epoch};
}

answered kept(millis now, millis begun, std::vector<owner_record> owners = {},
              std::vector<node_record> nodes = {}) {
  return {now, begun, outcome::kept, std::move(nodes), std::move(owners)};
}

member fresh() {
  member m;
  m.node = std::string{"a"};
  m.lease = lease;
  return m;
}

// It has a lease since 0, and the projects p and q.
member settled() {
  auto m = fresh();
  apply(m, ticked{0, "a-1"});
  apply(m,
        kept(0, 0, {owned("p", "a", 1), owned("q", "a", 4)}, {some_node("a")}));
  return m;
}

template <class T>
bool has(const effects& all, const T& one) {
  return std::ranges::find(all, effect{one}) != all.end();
}

} // namespace

TEST_CASE("a node joins before it does anything") {
  auto m = fresh();
  CHECK_FALSE(may_acknowledge(m, 0));
  CHECK(apply(m, ticked{0, "a-1"}) == effects{join{"a-1"}});
  CHECK(apply(m, ticked{1'000, "a-2"}).empty()); // it is waited for
  // Whether it did is not known: it is asked under the same name again.
  apply(m, answered{2'000, 0, outcome::unknown, {}, {}});
  CHECK(apply(m, ticked{3'000, "a-3"}) == effects{join{"a-1"}});
  CHECK_FALSE(may_acknowledge(m, 3'000));
  auto out =
    apply(m, kept(3'100, 3'000, {owned("p", "a", 7)}, {some_node("a")}));
  CHECK(out
        == effects{adopt{owned("p", "a", 7)}, speak_again{},
                   announce{{some_node("a")}}});
  CHECK(may_acknowledge(m, 3'100));
}

TEST_CASE("a lease is renewed at a third") {
  auto m = settled();
  CHECK(apply(m, ticked{3'999, {}}).empty());
  CHECK(apply(m, ticked{4'000, {}}) == effects{renew{"a-1"}});
  CHECK(apply(m, ticked{4'500, {}}).empty());
  apply(m, kept(5'000, 4'000, {owned("p", "a", 1), owned("q", "a", 4)},
                {some_node("a")}));
  CHECK(apply(m, ticked{7'999, {}}).empty());
  CHECK(apply(m, ticked{8'000, {}}) == effects{renew{"a-1"}});
}

TEST_CASE("what age a lease has says what the node may do") {
  auto m = settled();
  apply(m, ticked{4'000, {}}); // asks, and hears nothing
  CHECK(may_acknowledge(m, 5'999));
  CHECK_FALSE(may_acknowledge(m, 6'000)); // before any tick
  CHECK(apply(m, ticked{6'000, {}}) == effects{fall_silent{}});
  CHECK(apply(m, ticked{7'999, {}}).empty());
  CHECK(apply(m, ticked{8'000, {}}) == effects{stop_sandboxes{}});
  CHECK(apply(m, ticked{9'000, {}}).empty());
  SECTION("what began in spite of that ends too") {
    CHECK(apply(m, answered{9'000, 4'000, outcome::unknown, {}, {}})
          == effects{stop_sandboxes{}});
  }
  SECTION("an answer that took too long changes nothing but the age") {
    CHECK(apply(m, kept(10'000, 4'000, {owned("p", "a", 1), owned("q", "a", 4)},
                        {some_node("a")}))
            .empty());
    CHECK(m.at == standing::silent);
    CHECK_FALSE(may_acknowledge(m, 10'000));
  }
  SECTION("a fresh answer does") {
    apply(m, answered{9'000, 4'000, outcome::unknown, {}, {}});
    CHECK(apply(m, ticked{10'000, {}}) == effects{renew{"a-1"}});
    CHECK(
      apply(m, kept(10'001, 10'000, {owned("p", "a", 1), owned("q", "a", 4)},
                    {some_node("a")}))
      == effects{speak_again{}});
    CHECK(may_acknowledge(m, 10'001));
  }
}

TEST_CASE("what runs may go on while others wait for this node") {
  auto m = settled();
  auto renewal = kept(4'001, 4'000, {owned("p", "a", 1), owned("q", "a", 4)},
                      {some_node("a")});
  renewal.delay = 60'000;
  apply(m, ticked{4'000, {}});
  apply(m, renewal);
  CHECK_FALSE(may_acknowledge(m, 10'000)); // as ever
  apply(m, ticked{10'000, {}});
  CHECK(m.at == standing::silent);
  apply(m, ticked{71'999, {}});
  CHECK(m.at == standing::silent);
  CHECK(apply(m, ticked{72'000, {}}) == effects{stop_sandboxes{}});
}

TEST_CASE("others wait as long as the first of a node's projects says") {
  const std::vector<owner_record> owners{owned("p", "a", 1), owned("q", "a", 1),
                                         owned("r", "b", 1)};
  std::map<std::string, placement_rules> rules;
  rules["p"].delay = 60'000;
  rules["q"].delay = 30'000;
  rules["r"].delay = 0;
  CHECK(delay_of("a", owners, rules) == 30'000);
  rules["q"].on_loss = node_loss::wait;
  CHECK(delay_of("a", owners, rules) == 60'000);
  rules["p"].on_loss = node_loss::wait;
  CHECK(delay_of("a", owners, rules) == longest_delay);
  CHECK(delay_of("c", owners, rules) == 0); // it may get one at any time
  rules.erase("q");
  CHECK(delay_of("a", owners, rules) == 0);
}

TEST_CASE("a process that stood still does not speak first") {
  auto m = settled();
  CHECK_FALSE(may_acknowledge(m, 60'000));
  CHECK(apply(m, ticked{60'000, {}})
        == effects{fall_silent{}, stop_sandboxes{}, renew{"a-1"}});
}

TEST_CASE("a node that comes back keeps what is still its own") {
  auto m = settled();
  apply(m, ticked{60'000, {}});
  CHECK(apply(m, answered{60'100, 60'000, outcome::lost, {}, {}}).empty());
  CHECK(m.at == standing::joining);
  CHECK(apply(m, ticked{60'101, "a-2"}) == effects{join{"a-2"}});
  auto out =
    apply(m, kept(60'200, 60'101, {owned("p", "b", 2), owned("q", "a", 4)},
                  {some_node("a"), some_node("b")}));
  CHECK(has(out, release{"p"}));
  CHECK_FALSE(has(out, release{"q"}));
  CHECK(has(out, speak_again{}));
  // Nothing is said to anybody before what was lost is let go.
  CHECK(out.front() == effect{release{"p"}});
}

TEST_CASE("a project that went and came back is taken up anew") {
  auto m = settled();
  apply(m, ticked{4'000, {}});
  CHECK(apply(m, kept(4'001, 4'000, {owned("p", "a", 3), owned("q", "a", 4)},
                      {some_node("a")}))
        == effects{release{"p"}, adopt{owned("p", "a", 3)}});
}

TEST_CASE("a hint only makes the node look sooner") {
  auto m = settled();
  CHECK(apply(m, hinted{1'000}).empty());
  CHECK(apply(m, ticked{1'000, {}}) == effects{renew{"a-1"}});
}

TEST_CASE("what nobody living owns is taken by whoever has room") {
  const std::vector<owner_record> owners{
    owned("p1", "gone", 5), owned("p2", "dead", 1), owned("p3", "b", 1),
    owned("p4", "", 0), owned("p5", "dead", 2)};
  const std::vector<node_record> nodes{some_node("a", lease, 1), some_node("b"),
                                       some_node("dead", 0)};
  // The same question everywhere: each project has one taker.
  CHECK(share_of("a", nodes, owners)
        == std::vector{owned("p2", "dead", 1), owned("p5", "dead", 2)});
  CHECK(share_of("b", nodes, owners)
        == std::vector{owned("p1", "gone", 5), owned("p4", "", 0)});
  CHECK(share_of("dead", nodes, owners).empty());
  auto m = settled();
  apply(m, ticked{4'000, {}});
  auto out = apply(
    m, kept(4'001, 4'000, {owned("p2", "dead", 1)},
            {some_node("a"), some_node("b", lease, 1), some_node("dead", 0)}));
  CHECK(has(out, take_over{{owned("p2", "dead", 1)}}));
  // It looks at once what came of it.
  CHECK(has(apply(m, ticked{4'002, {}}), renew{"a-1"}));
}

TEST_CASE("a project goes only where its labels are") {
  auto gpu = some_node("b", lease, 9);
  gpu.labels = {{"gpu", "a100"}, {"disk", "fast"}};
  auto other = some_node("a");
  other.labels = {{"gpu", "none"}};
  std::map<std::string, placement_rules> rules;
  rules["p"].labels = {{"gpu", "a100"}};
  rules["q"].labels = {{"gpu", "h100"}};
  const std::vector<owner_record> owners{
    owned("p", "dead", 1), owned("q", "dead", 1), owned("r", "dead", 1)};
  CHECK(share_of("a", {other, gpu}, owners, rules)
        == std::vector{owned("r", "dead", 1)});
  CHECK(share_of("b", {other, gpu}, owners, rules)
        == std::vector{owned("p", "dead", 1)});
}

TEST_CASE("what an earlier release may not read is taken by a later one") {
  auto older = some_node("a");
  older.version = "0.1.0";
  auto newer = some_node("b", lease, 9);
  newer.version = "0.2.0";
  std::map<std::string, placement_rules> rules;
  rules["p"].on_loss = node_loss::stop;
  rules["q"] = {};
  const std::vector<owner_record> owners{owned("p", "dead", 1),
                                         owned("q", "dead", 1)};
  // It is the emptier, and would never take it.
  CHECK(share_of("b", {older, newer}, owners, rules)
        == std::vector{owned("p", "dead", 1)});
  // What it reads is its own to take.
  CHECK(share_of("a", {older, newer}, owners, rules) == owners);
}

TEST_CASE("a project may wait for the node that was lost") {
  const std::map<std::string, millis> lost{{"dead", 30'000}};
  placement_rules rules;
  CHECK_FALSE(waits_for_owner(owned("p", "dead", 1), rules, lost));
  rules.delay = 30'000;
  CHECK_FALSE(waits_for_owner(owned("p", "dead", 1), rules, lost));
  rules.delay = 30'001;
  CHECK(waits_for_owner(owned("p", "dead", 1), rules, lost));
  rules = {node_loss::wait, 0, {}};
  CHECK(waits_for_owner(owned("p", "dead", 1), rules, lost));
  rules = {node_loss::stop, 60'000, {}};
  CHECK(waits_for_owner(owned("p", "dead", 1), rules, lost));
  // There is no such node any more, and nobody to wait for.
  CHECK_FALSE(waits_for_owner(owned("p", "gone", 1), rules, lost));
  CHECK_FALSE(waits_for_owner(owned("p", "", 0), rules, lost));
}

TEST_CASE("the roomiest node has the fewest sessions") {
  auto draining = some_node("0");
  draining.state = node_state::draining;
  CHECK(roomiest({draining, some_node("b", lease, 2), some_node("c", lease, 1),
                  some_node("a", lease, 1), some_node("dead", 0)})
        == "a");
  CHECK(roomiest({draining, some_node("dead", 0)}).empty());
}

TEST_CASE("a node whose processors are busy comes after the others") {
  auto busy = some_node("a");
  busy.load = 1;
  CHECK(roomiest({busy, some_node("b", lease, 7)}) == "b");
  CHECK(roomiest({busy, some_node("dead", 0)}) == "a");
}
