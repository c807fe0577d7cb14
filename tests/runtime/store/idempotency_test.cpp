#include "tests/runtime/store/fixture.hpp"

#include "runtime/store/idempotency.hpp"
#include "runtime/store/nodes.hpp"
#include "runtime/store/sql.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <barrier>
#include <thread>

using namespace greenroom;
using namespace greenroom::test;

namespace {

struct requests_fixture : store_fixture {
  begun_request begin(const std::string& planned, const std::string& run = "1",
                      const std::string& fingerprint = "f", unix_ms now = 0) {
    return store::begin_request(
      c, {"key", "name", fingerprint, run, planned, now});
  }
  void finish(std::uint16_t status, const std::string& body, unix_ms now = 0) {
    store::finish_request(c, {"key", "name", status, body, now});
  }
};

constexpr millis day = 24 * 3600 * 1000;

// Nodes at one store, each with one process.
struct nodes_requests_fixture : store_fixture {
  void join(const std::string& node, const std::string& incarnation) {
    node_record one;
    one.name = node;
    one.incarnation = incarnation;
    store::join(c, {one, "home of " + node, 60'000});
  }
  // The lease is over, as far as the database's clock tells.
  void let_run_out(const std::string& node) {
    store::in_transaction(c, [&](soci::session& sql) {
      store::execute(sql,
                     "UPDATE nodes SET lease_until = " + c.self().now
                       + " - 1 WHERE name = :name",
                     soci::use(node, "name"));
    });
  }
  begun_request begin(const std::string& node, const std::string& process,
                      const std::string& planned) {
    return store::begin_request(c, {"key", "name", "f", process, planned, 0},
                                node);
  }
  void finish(const std::string& node, std::uint16_t status,
              const std::string& body) {
    store::finish_request(c, {"key", "name", status, body, 0}, node);
  }
};

} // namespace

TEST_CASE_METHOD(requests_fixture, "a request is begun once") {
  auto first = begin("a");
  CHECK(first.state == request_state::fresh);
  CHECK(first.planned_id == "a");
  auto second = begin("b");
  CHECK(second.state == request_state::busy);
  CHECK(second.planned_id == "a");
}

TEST_CASE_METHOD(requests_fixture, "an answer is given again") {
  begin("a");
  finish(201, R"({"id": "ü"})");
  auto again = begin("b");
  CHECK(again.state == request_state::done);
  CHECK(again.planned_id == "a");
  CHECK(again.status == 201);
  CHECK(again.body == R"({"id": "ü"})");
  CHECK(begin("b", "2").state == request_state::done);
}

TEST_CASE_METHOD(requests_fixture, "a name stands for one request") {
  begin("a");
  CHECK(begin("b", "1", "other").state == request_state::reused);
  finish(200, "{}");
  auto again = begin("b", "2", "other");
  CHECK(again.state == request_state::reused);
  CHECK(again.body.empty());
  CHECK(again.planned_id.empty());
}

TEST_CASE_METHOD(requests_fixture, "each key has names of its own") {
  begin("a");
  CHECK(store::begin_request(c, {"other", "name", "f", "1", "b", 0}).state
        == request_state::fresh);
  CHECK(store::begin_request(c, {"key", "other", "f", "1", "b", 0}).state
        == request_state::fresh);
}

TEST_CASE_METHOD(requests_fixture, "what a crash cut off is repeated with the "
                                   "id of the first time, by one, where the "
                                   "node is alone") {
  begin("a", "1");
  auto again = begin("b", "2");
  CHECK(again.state == request_state::repeat);
  CHECK(again.planned_id == "a");
  CHECK(begin("c", "2").state == request_state::busy);
  finish(200, "{}");
  CHECK(begin("c", "2").state == request_state::done);
}

TEST_CASE_METHOD(nodes_requests_fixture,
                 "what another node still serves is not taken over") {
  join("a", "a-1");
  join("b", "b-1");
  CHECK(begin("a", "p", "first").state == request_state::fresh);
  auto there = begin("b", "q", "second");
  CHECK(there.state == request_state::busy);
  CHECK(there.planned_id == "first");
  SECTION("its answer is that of both") {
    finish("a", 201, "{}");
    auto again = begin("b", "q", "second");
    CHECK(again.state == request_state::done);
    CHECK(again.status == 201);
  }
  SECTION("what failed there is repeated here at once") {
    finish("a", 503, "");
    auto again = begin("b", "q", "second");
    CHECK(again.state == request_state::repeat);
    CHECK(again.planned_id == "first");
    CHECK(begin("a", "p", "third").state == request_state::busy);
  }
  SECTION("a process that lost its lease and has another serves it on") {
    let_run_out("a");
    join("a", "a-2");
    CHECK(begin("a", "p", "second").state == request_state::busy);
  }
}

TEST_CASE_METHOD(nodes_requests_fixture,
                 "what a node began that is gone is repeated by another") {
  join("a", "a-1");
  join("b", "b-1");
  begin("a", "p", "first");
  SECTION("its lease is over") {
    let_run_out("a");
  }
  SECTION("it has left") {
    store::leave(c, "a", "a-1");
  }
  SECTION("it has been started again") {
    join("a", "a-2");
  }
  auto again = begin("b", "q", "second");
  CHECK(again.state == request_state::repeat);
  CHECK(again.planned_id == "first");
  CHECK(begin("b", "q", "third").state == request_state::busy);
  // From now on it is this node's.
  join("a", "a-3");
  CHECK(begin("a", "p2", "third").state == request_state::busy);
  // The first one's end comes late, and lets nobody else in.
  finish("a", 503, "");
  CHECK(begin("a", "p2", "third").state == request_state::busy);
  finish("b", 200, "{}");
  CHECK(begin("a", "p2", "third").state == request_state::done);
}

TEST_CASE_METHOD(nodes_requests_fixture,
                 "what a node began before its restart it repeats itself") {
  join("a", "a-1");
  begin("a", "p", "first");
  join("a", "a-2");
  auto again = begin("a", "p2", "second");
  CHECK(again.state == request_state::repeat);
  CHECK(again.planned_id == "first");
  CHECK(begin("a", "p2", "third").state == request_state::busy);
}

TEST_CASE_METHOD(nodes_requests_fixture, "the answer of a node that has lost a "
                                         "request comes too late") {
  join("a", "a-1");
  join("b", "b-1");
  begin("a", "p", "first");
  let_run_out("a");
  REQUIRE(begin("b", "q", "second").state == request_state::repeat);
  SECTION("while another one serves it") {
    finish("a", 409, "late");
    CHECK(begin("b", "q", "third").state == request_state::busy);
    finish("b", 201, "{}");
  }
  SECTION("and when it has an answer") {
    finish("b", 201, "{}");
    let_run_out("b");
    finish("a", 409, "late");
    finish("a", 429, "");
  }
  auto kept = begin("b", "q", "third");
  CHECK(kept.status == 201);
  CHECK(kept.body == "{}");
}

TEST_CASE_METHOD(requests_fixture, "what failed on our side is repeated") {
  begin("a");
  finish(503, "");
  auto again = begin("b");
  CHECK(again.state == request_state::repeat);
  CHECK(again.planned_id == "a");
  CHECK(again.status == 0);
  CHECK(begin("b").state == request_state::busy);
  CHECK(begin("b", "1", "other").state == request_state::reused);
  finish(400, "{}");
  CHECK(begin("b").status == 400);
}

TEST_CASE_METHOD(requests_fixture, "what was refused unbegun has never been") {
  begin("a");
  finish(429, "");
  auto again = begin("b");
  CHECK(again.state == request_state::fresh);
  CHECK(again.planned_id == "b");
}

TEST_CASE_METHOD(requests_fixture, "an answer that is too long is made anew") {
  begin("a");
  SECTION("one that just fits is kept") {
    finish(200, std::string(store::max_kept_body, 'x'));
    CHECK(begin("b").body.size() == store::max_kept_body);
  }
  SECTION("the next is not") {
    finish(200, std::string(store::max_kept_body + 1, 'x'));
    auto again = begin("b");
    CHECK(again.state == request_state::repeat);
    CHECK(again.planned_id == "a");
    CHECK(again.body.empty());
    CHECK(begin("b").state == request_state::busy);
  }
}

TEST_CASE_METHOD(requests_fixture, "a day later a name is new") {
  begin("a", "1", "f", 1'000);
  finish(200, "{}", 5'000);
  CHECK(begin("b", "1", "f", day + 5'000).state == request_state::done);
  CHECK(begin("b", "1", "f", day + 5'001).state == request_state::fresh);
  SECTION("and what nobody asks for is purged") {
    auto rows = [&] {
      int count = 0;
      c.self().sql << "SELECT COUNT(*) FROM requests", soci::into(count);
      return count;
    };
    CHECK(rows() == 1);
    store::drop_old_requests(c, 2 * day + 5'001);
    CHECK(rows() == 1);
    store::drop_old_requests(c, 2 * day + 5'002);
    CHECK(rows() == 0);
  }
}

TEST_CASE_METHOD(requests_fixture, "a name with NUL is refused") {
  auto what = refusal_of([&] {
    store::begin_request(c, {"key", std::string("a\0b", 3), "f", "1", "a", 0});
  });
  CHECK(what.code == errc::bad_request);
}

TEST_CASE_METHOD(requests_fixture, "of those that begin one request at the "
                                   "same time, one serves it") {
  constexpr int rounds = 100;
  constexpr std::size_t sides = 3;
  // The second half was begun by a run that is over.
  for (int round = rounds / 2; round < rounds; ++round)
    store::begin_request(
      c, {"key", std::to_string(round), "f", "old", "planned", 0});
  std::vector<std::array<begun_request, sides>> results(rounds);
  std::barrier start{static_cast<std::ptrdiff_t>(sides)};
  std::vector<std::thread> threads;
  for (std::size_t side = 0; side < sides; ++side)
    threads.emplace_back([&, side] {
      auto mine = place.open();
      for (int round = 0; round < rounds; ++round) {
        start.arrive_and_wait();
        results[static_cast<std::size_t>(round)][side] =
          store::begin_request(mine, {"key", std::to_string(round), "f", "new",
                                      std::to_string(side), 0});
      }
    });
  for (auto& thread : threads)
    thread.join();
  for (int round = 0; round < rounds; ++round) {
    auto wanted =
      round < rounds / 2 ? request_state::fresh : request_state::repeat;
    int serving = 0;
    for (auto& one : results[static_cast<std::size_t>(round)]) {
      CHECK((one.state == wanted || one.state == request_state::busy));
      CHECK(one.planned_id
            == results[static_cast<std::size_t>(round)][0].planned_id);
      serving += one.state == wanted;
    }
    CHECK(serving == 1);
  }
}
