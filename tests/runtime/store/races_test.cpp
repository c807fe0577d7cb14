#include "tests/runtime/store/fixture.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <barrier>
#include <thread>

using namespace greenroom;
using namespace greenroom::store;
using namespace greenroom::test;

namespace {

constexpr int rounds = 100;

// Runs `f(side, round, connection)` on two threads with a connection each, all
// rounds begun together.
template <class F>
void race(const store_place& place, F&& f) {
  std::barrier start{2};
  std::array<std::thread, 2> threads;
  for (std::size_t side = 0; side < threads.size(); ++side)
    threads[side] = std::thread([&, side] {
      auto c = place.open();
      for (int round = 0; round < rounds; ++round) {
        start.arrive_and_wait();
        f(side, static_cast<std::size_t>(round), c);
      }
    });
  for (auto& thread : threads)
    thread.join();
}

using outcomes = std::vector<std::array<insert_result, 2>>;

} // namespace

TEST_CASE_METHOD(store_fixture, "of two that want one branch, one gets it") {
  outcomes results(rounds);
  race(place, [&](std::size_t side, std::size_t round, connection& mine) {
    results[round][side] = insert_session(
      mine, some_session("b" + std::to_string(round)), 2 * rounds);
  });
  for (auto [a, b] : results)
    CHECK(((a == insert_result::ok && b == insert_result::branch_taken)
           || (b == insert_result::ok && a == insert_result::branch_taken)));
  CHECK(live_sessions(c, "demo").size() == rounds);
}

TEST_CASE_METHOD(store_fixture,
                 "of two on branches that git cannot keep both, one gets it") {
  outcomes results(rounds);
  race(place, [&](std::size_t side, std::size_t round, connection& mine) {
    auto branch = "b" + std::to_string(round);
    if (side == round % 2)
      branch += "/sub";
    results[round][side] =
      insert_session(mine, some_session(branch), 2 * rounds);
  });
  for (auto [a, b] : results)
    CHECK(((a == insert_result::ok && b == insert_result::branch_taken)
           || (b == insert_result::ok && a == insert_result::branch_taken)));
  CHECK(live_sessions(c, "demo").size() == rounds);
}

TEST_CASE_METHOD(store_fixture, "of two that want the last slot, one gets it") {
  for (int i = 0; i < rounds; ++i)
    put_project(c, some_project("p" + std::to_string(i)));
  outcomes results(rounds);
  race(place, [&](std::size_t side, std::size_t round, connection& mine) {
    results[round][side] = insert_session(
      mine,
      some_session("b" + std::to_string(side), "p" + std::to_string(round)), 1);
  });
  for (auto [a, b] : results)
    CHECK(((a == insert_result::ok && b == insert_result::no_slot)
           || (b == insert_result::ok && a == insert_result::no_slot)));
}

TEST_CASE_METHOD(store_fixture, "of two owners, the one who took last writes") {
  auto session = insert(some_session("a"));
  std::array<int, 2> written{};
  race(place, [&](std::size_t side, std::size_t, connection& mine) {
    auto taken = take_session(mine, session.id, side == 0 ? "left" : "right");
    if (!taken)
      return;
    ++taken->version;
    if (update_session(mine, *taken))
      ++written[side];
  });
  auto last = find_session(c, session.id).value();
  CHECK(last.epoch == session.epoch + 2 * rounds);
  CHECK(last.version
        == session.version + static_cast<unsigned>(written[0] + written[1]));
}
