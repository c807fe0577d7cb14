// Writers of two nodes that meet at one row: who waits sees what was written.
#include "runtime/store/execs.hpp"
#include "runtime/store/nodes.hpp"
#include "runtime/store/sql.hpp"
#include "tests/runtime/store/fixture.hpp"
#include "tests/support/eventually.hpp"

#include <catch2/catch.hpp>

#include <optional>
#include <string>
#include <thread>

using namespace greenroom;
using namespace greenroom::test;

namespace {

// What is asked of a second connection while the first has not committed yet.
struct held_fixture : postgresql_fixture {
  session_record session = insert(some_session("a"));
  store::connection first = place.open();
  store::connection second = place.open();

  // `held` in a transaction, behind which `late` waits.
  template <class Held, class Late>
  void meet(Held held, Late late) {
    std::jthread other;
    store::transaction before{first};
    held(first);
    other = std::jthread{[&] { late(second); }};
    await("it to wait", [&] {
      int waiting = 0;
      c.self().sql << "SELECT COUNT(*) FROM pg_stat_activity"
                      " WHERE datname = current_database()"
                      " AND wait_event_type = 'Lock'",
        soci::into(waiting);
      return waiting > 0;
    });
    before.commit();
    other.join();
  }

  node_record join_as(const std::string& name) {
    node_record node;
    node.name = name;
    node.incarnation = name + "-1";
    store::join(c, {node, "home of " + name, 60'000});
    return node;
  }
};

} // namespace

TEST_CASE_METHOD(held_fixture, "a session that goes with its project is not "
                               "taken back by the node that had it") {
  auto here = join_as("here");
  auto there = join_as("there");
  REQUIRE(store::take_over(c, here, store::owners(c)).size() == 1);
  store::leave(c, "here", "here-1");
  std::optional<session_record> taken;
  meet(
    [&](store::connection& mine) {
      REQUIRE(store::take_over(mine, there, store::owners(mine)).size() == 1);
    },
    [&](store::connection& mine) {
      taken = store::take_session(mine, session.id, "here");
    });
  CHECK_FALSE(taken);
  CHECK(store::find_session(c, session.id)->node == "there");
}

TEST_CASE_METHOD(held_fixture, "nothing is noted of an exec by a node that is "
                               "just losing its session") {
  bool noted = true;
  meet(
    [&](store::connection& mine) {
      REQUIRE(store::take_session(mine, session.id, "there").has_value());
    },
    [&](store::connection& mine) {
      noted = store::note_exec(mine, {session.id, session.epoch, "x", "{}"});
    });
  CHECK_FALSE(noted);
  CHECK(store::noted_execs(c, session.id).empty());
}
