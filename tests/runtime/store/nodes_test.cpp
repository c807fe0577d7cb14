#include "tests/runtime/store/fixture.hpp"

#include "runtime/store/nodes.hpp"
#include "runtime/store/reviews.hpp"
#include "runtime/store/sql.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <barrier>
#include <thread>

using namespace greenroom;
using namespace greenroom::store;
using namespace greenroom::test;
using Catch::Contains;

namespace {

constexpr millis lease = 60'000;

node_record some_node(const std::string& name, const std::string& start = "1") {
  node_record node;
  node.name = name;
  node.incarnation = name + '-' + start;
  node.address = name + ".example:7100";
  node.http = name + ".example:8080";
  node.version = "1.2.3";
  node.labels = {{"zone", "it's \"a\""}};
  return node;
}

struct nodes_fixture : store_fixture {
  node_record join_as(const std::string& name, const std::string& start = "1") {
    auto node = some_node(name, start);
    join(c, {node, "home of " + name, lease});
    return node;
  }

  // The lease is over, as far as the database's clock tells.
  void let_run_out(const std::string& name) {
    in_transaction(c, [&](soci::session& sql) {
      execute(sql,
              "UPDATE nodes SET lease_until = " + c.self().now
                + " - 1 WHERE name = :name",
              soci::use(name, "name"));
    });
  }

  owner_record owner(const std::string& project = "demo") {
    return owner_of(c, {project, {}}).value();
  }

  // The project is this node's; its epoch.
  std::uint64_t own(const node_record& node) {
    const std::vector all{owner()};
    return take_over(c, node, all).at(0).epoch;
  }
};

} // namespace

TEST_CASE_METHOD(nodes_fixture, "nodes are known while and after they live") {
  auto b = join_as("b");
  auto a = join_as("a");
  own(a);
  auto session = some_session("x");
  session.node = "a";
  insert(session);
  let_run_out("b");
  auto found = nodes(c);
  REQUIRE(found.size() == 2);
  CHECK(found[0].lease_left > lease / 2);
  CHECK(found[0].lease_left <= lease);
  a.lease_left = found[0].lease_left;
  a.sessions = 1;
  CHECK(found[0] == a);
  b.state = node_state::down;
  CHECK(found[1] == b);
  CHECK(set_node_state(c, "a", node_state::draining));
  CHECK_FALSE(set_node_state(c, "c", node_state::draining));
  CHECK(nodes(c)[0].state == node_state::draining);
}

TEST_CASE_METHOD(nodes_fixture, "a name is one home's while its lease holds") {
  auto first = join_as("a");
  // Its own next start need not wait.
  auto second = join_as("a", "2");
  CHECK_FALSE(renew(c, "a", first.incarnation, lease));
  CHECK(renew(c, "a", second.incarnation, lease));
  const joining stranger{some_node("a", "3"), "elsewhere", lease};
  auto what = refusal_of([&] { join(c, stranger); });
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message, Contains("\"a\"") && Contains("node.name"));
  let_run_out("a");
  CHECK_NOTHROW(join(c, stranger));
  CHECK_FALSE(renew(c, "a", second.incarnation, lease));
}

TEST_CASE_METHOD(nodes_fixture, "a lease that has run out is not renewed") {
  auto a = join_as("a");
  let_run_out("a");
  CHECK_FALSE(renew(c, "a", a.incarnation, lease));
  a = join_as("a", "2");
  leave(c, "a", "a-1");
  CHECK(renew(c, "a", a.incarnation, lease));
  leave(c, "a", a.incarnation);
  CHECK_FALSE(renew(c, "a", a.incarnation, lease));
}

TEST_CASE_METHOD(nodes_fixture, "a node that does not start after all leaves "
                                "what was left of its lease before") {
  CHECK(join(c, {some_node("a", "1"), "home of a", lease}) == 0);
  const auto left = join(c, {some_node("a", "2"), "home of a", 10 * lease});
  CHECK(left > 0);
  CHECK(left <= lease);
  leave(c, "a", "1", left); // another incarnation's
  CHECK(nodes(c)[0].lease_left > lease);
  leave(c, "a", some_node("a", "2").incarnation, left);
  CHECK(nodes(c)[0].lease_left > 0);
  CHECK(nodes(c)[0].lease_left <= left);
  let_run_out("a");
  CHECK(join(c, {some_node("a", "3"), "home of a", lease}) == 0);
}

TEST_CASE_METHOD(nodes_fixture, "how long a node has been lost is known") {
  auto a = join_as("a");
  auto b = join_as("b");
  join_as("c");
  CHECK(lost_nodes(c).empty());
  own(a);
  in_transaction(c, [&](soci::session& sql) {
    execute(sql, "UPDATE nodes SET lease_until = " + c.self().now
                   + " - 5000 WHERE name = 'a'");
  });
  leave(c, "c", "c-1");
  auto lost = lost_nodes(c);
  CHECK(lost.size() == 2);
  CHECK(lost.at("a") >= 5'000);
  CHECK(lost.at("a") < 65'000);
  CHECK(lost.at("c") < 60'000);
  // Also once something of it has been taken over.
  const std::vector all{owner()};
  REQUIRE(take_over(c, b, all).size() == 1);
  CHECK_FALSE(renew(c, "a", a.incarnation, lease));
  CHECK(lost_nodes(c).at("a") >= 5'000);
  CHECK(lost_nodes(c).at("a") < 65'000);
  join_as("a", "2");
  CHECK_FALSE(lost_nodes(c).contains("a"));
}

TEST_CASE_METHOD(nodes_fixture, "what is nobody's is taken once") {
  auto a = join_as("a");
  auto b = join_as("b");
  const std::vector all{owner()};
  CHECK(all[0] == owner_record{"demo", "", "", 0});
  CHECK(take_over(c, a, all)
        == std::vector{owner_record{"demo", "a", "a-1", 1}});
  CHECK(take_over(c, b, all).empty());
  CHECK(owner() == owner_record{"demo", "a", "a-1", 1});
}

TEST_CASE_METHOD(nodes_fixture,
                 "a project changes hands when a lease is over") {
  auto a = join_as("a");
  auto b = join_as("b");
  own(a);
  auto session = some_session("x");
  session.node = "a";
  insert(session);
  auto over = some_session("y");
  over.node = "a";
  over = end(insert(over));
  const std::vector all{owner()};
  CHECK(take_over(c, b, all).empty()); // it lives

  let_run_out("a");
  SECTION("but not to one whose own lease is over") {
    let_run_out("b");
    CHECK(take_over(c, b, all).empty());
  }
  SECTION("nor to an earlier start of a node") {
    join_as("b", "2");
    CHECK(take_over(c, b, all).empty());
  }
  SECTION("nor with an epoch that is gone") {
    auto old = all;
    --old[0].epoch;
    CHECK(take_over(c, b, old).empty());
  }
  SECTION("and with it what lives in it") {
    CHECK(take_over(c, b, all)
          == std::vector{owner_record{"demo", "b", "b-1", 2}});
    auto moved = store::find_session(c, session.id).value();
    CHECK(moved.node == "b");
    CHECK(moved.epoch == session.epoch + 1);
    CHECK(store::find_session(c, over.id) == over);
    // The lease is over for good: the old owner joins anew, and sees.
    CHECK_FALSE(renew(c, "a", "a-1", lease));
    CHECK(owner_of(c, {"demo", session.id})->node == "b");
    CHECK(owner_of(c, {"", session.id})->node == "b");
    CHECK_FALSE(owner_of(c, {"other", session.id}));
    CHECK_FALSE(owner_of(c, {"", make_id()}));

    // And its writes, begun before or after, are refused.
    ++session.version;
    CHECK_FALSE(update_session(c, session));
    CHECK_FALSE(take_session(c, session.id, "a"));
    auto fresh = some_session("z");
    fresh.node = "a";
    CHECK(refusal_of([&] { insert_session(c, fresh, 9); }).code
          == errc::unavailable);
    CHECK(refusal_of([&] { put_project(c, some_project(), "a"); }).code
          == errc::unavailable);
    CHECK(refusal_of([&] { store::delete_project(c, "demo", "a"); }).code
          == errc::unavailable);
    review_record review;
    review.id = make_id();
    review.project_id = "demo";
    CHECK(refusal_of([&] { put_review(c, review, "a"); }).code
          == errc::unavailable);
    CHECK_NOTHROW(put_review(c, review, "b"));
    fresh.node = "b";
    CHECK(insert_session(c, fresh, 9) == insert_result::ok);
  }
}

TEST_CASE_METHOD(nodes_fixture, "what is to end with its node is known to "
                                "whoever has it until it has ended") {
  auto a = join_as("a");
  auto b = join_as("b");
  auto d = join_as("d");
  auto project = some_project();
  project.placement.on_loss = node_loss::stop;
  put_project(c, project);
  own(a);
  auto session = some_session("x");
  session.node = "a";
  insert(session);
  let_run_out("a");
  own(b);
  const std::vector lost{lost_session{session.id, "a"}};
  CHECK(lost_sessions(c, "demo", "b") == lost);
  CHECK(lost_sessions(c, "demo", "a").empty());
  CHECK(lost_sessions(c, "other", "b").empty());
  // What begins there is not meant.
  auto fresh = some_session("y");
  fresh.node = "b";
  insert(fresh);
  CHECK(lost_sessions(c, "demo", "b") == lost);
  // b begins anew, and then gives the project away or is lost itself.
  join_as("b", "2");
  store::take_live_sessions(c, "b");
  CHECK(lost_sessions(c, "demo", "b") == lost);
  SECTION("given away") {
    REQUIRE(hand_over(c, "b", owner(), "d"));
    CHECK(lost_sessions(c, "demo", "d") == lost);
  }
  SECTION("lost too") {
    let_run_out("b");
    own(d);
    auto both = lost_sessions(c, "demo", "d");
    REQUIRE(both.size() == 2);
    for (auto& one : both)
      CHECK(one.lost_node == (one.session_id == session.id ? "a" : "b"));
  }
  CHECK(lost_sessions(c, "demo", "b").empty());
  end(store::find_session(c, session.id).value());
  for (auto& one : lost_sessions(c, "demo", "d"))
    CHECK(one.session_id != session.id);
}

TEST_CASE_METHOD(nodes_fixture, "only what asks for that ends with its node") {
  auto a = join_as("a");
  auto b = join_as("b");
  auto session = some_session("x");
  session.node = "a";
  SECTION("not what goes on elsewhere") {
    own(a);
    insert(session);
    let_run_out("a");
    own(b);
  }
  SECTION("nor what was nobody's") {
    auto project = some_project();
    project.placement.on_loss = node_loss::stop;
    put_project(c, project);
    insert(session);
    own(b);
  }
  CHECK(store::find_session(c, session.id)->node == "b");
  CHECK(lost_sessions(c, "demo", "b").empty());
}

TEST_CASE_METHOD(nodes_fixture, "a project is handed over by its owner") {
  auto a = join_as("a");
  auto b = join_as("b");
  own(a);
  CHECK_FALSE(hand_over(c, "b", owner(), "a"));
  CHECK_FALSE(hand_over(c, "a", owner(), "c"));
  // One that drains takes nothing.
  set_node_state(c, "b", node_state::draining);
  CHECK_FALSE(hand_over(c, "a", owner(), "b"));
  set_node_state(c, "b", node_state::ready);
  auto session = some_session("x");
  session.node = "a";
  insert(session);
  CHECK(hand_over(c, "a", owner(), "b"));
  CHECK(owner() == owner_record{"demo", "b", "b-1", 2});
  auto moved = store::find_session(c, session.id).value();
  CHECK(moved.node == "b");
  CHECK(moved.epoch == session.epoch + 1);
  CHECK_FALSE(hand_over(c, "a", {"demo", "a", {}, 1}, "b")); // once only
  let_run_out("a");
  CHECK_FALSE(hand_over(c, "b", owner(), "a"));
}

TEST_CASE_METHOD(nodes_fixture,
                 "with which epoch a session came to its node is "
                 "known") {
  auto a = join_as("a");
  join_as("b");
  own(a);
  auto session = some_session("x");
  session.node = "a";
  insert(session);
  CHECK(store::home_epoch(c, session.id) == session.epoch);
  // However often it is tried there.
  for (int i = 0; i < 3; ++i)
    store::take_session(c, session.id, "a");
  store::take_live_sessions(c, "a");
  CHECK(store::home_epoch(c, session.id) == session.epoch);
  REQUIRE(hand_over(c, "a", owner(), "b"));
  auto moved = store::find_session(c, session.id).value();
  CHECK(store::home_epoch(c, session.id) == moved.epoch);
  store::take_session(c, session.id, "b");
  store::take_live_sessions(c, "b");
  CHECK(store::home_epoch(c, session.id) == moved.epoch);
  store::own_all_sessions(c, "alone");
  CHECK(store::home_epoch(c, session.id)
        == store::find_session(c, session.id)->epoch + 1);
}

TEST_CASE_METHOD(nodes_fixture, "what a session that is over has on a node's "
                                "disk is that node's to know") {
  auto a = join_as("a");
  join_as("b");
  own(a);
  auto add = [&](const std::string& branch) {
    auto session = some_session(branch);
    session.node = "a";
    session = insert(session);
    session.status = session_status::ended;
    session.ended_at = 7;
    ++session.version;
    REQUIRE(store::update_session(c, session));
    return session.id;
  };
  using ids = std::vector<std::string>;
  auto first = add("x");
  auto second = add("y");
  CHECK(store::drop_ended(c, 100, 10, {"b", {}}).sessions.empty());
  CHECK(store::drop_ended(c, 100, 1, {"a", {first}}).sessions == ids{second});
  CHECK(store::drop_ended(c, 100, 1, {"a", {first}}).sessions.empty());
  // Of a node that is gone for as long nobody else knows.
  let_run_out("a");
  CHECK(store::drop_ended(c, 100, 10, {"b", {}}).sessions.empty());
  CHECK(store::drop_ended(c, now_ms() + 60'000, 10, {"b", {}}).sessions
        == ids{first});
}

TEST_CASE_METHOD(nodes_fixture, "a project is its maker's") {
  auto a = join_as("a");
  put_project(c, some_project("new"), "a");
  CHECK(owner("new") == owner_record{"new", "a", "a-1", 1});
  auto changed = some_project("new");
  changed.setup = "make";
  put_project(c, changed, "a");
  CHECK(owner("new").epoch == 1);
  configure_project(c, changed, "a");
  CHECK(owner("new").node == "a");
  auto all = owners(c);
  REQUIRE(all.size() == 2);
  CHECK(all[0] == owner_record{"demo", "", "", 0});
  CHECK(all[1] == owner_record{"new", "a", "", 1});
}

TEST_CASE_METHOD(nodes_fixture, "a configuration file says nothing of what "
                                "another node has") {
  auto a = join_as("a");
  own(a);
  auto changed = some_project();
  changed.setup = "make";
  CHECK(refusal_of([&] { configure_project(c, changed, "b"); }).code
        == errc::unavailable);
  CHECK(projects(c).at(0).setup.empty());
  CHECK(configure_project(c, changed, "a").setup == "make");
  configure_project(c, some_project("new"), "b");
  CHECK(owner("new") == owner_record{"new", "", "", 0});
}

TEST_CASE_METHOD(nodes_fixture, "of those who take over at once, one does") {
  join_as("old");
  std::array nodes{join_as("left"), join_as("right")};
  constexpr int rounds = 50;
  std::barrier start{2};
  std::array<std::vector<std::uint64_t>, 2> got;
  const std::vector first{owner()};
  let_run_out("old");
  auto run = [&](std::size_t side) {
    auto mine = place.open();
    for (int round = 0; round < rounds; ++round) {
      // Both want it from the same owner at the same epoch.
      auto wanted = owner_of(mine, {"demo", {}}).value();
      wanted.node = "";
      start.arrive_and_wait();
      for (auto& one : take_over(mine, nodes[side], std::vector{wanted}))
        got[side].push_back(one.epoch);
      start.arrive_and_wait();
      if (side == 0) // nobody's again
        mine.self().sql << "UPDATE projects SET owner = ''";
      start.arrive_and_wait();
    }
  };
  std::thread other{run, 1};
  run(0);
  other.join();
  CHECK(got[0].size() + got[1].size() == rounds);
  CHECK(owner().epoch == rounds);
}
