// Whose question to git begins next.
#include "actors/git/question_turns.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;

namespace {

using std::chrono::seconds;

asking_project asks(std::size_t running, int since) {
  return {running, std::chrono::steady_clock::time_point{seconds{since}}};
}

} // namespace

TEST_CASE("the last thread is for a project that asks nothing else of git") {
  CHECK(next_to_ask({}, 4) == std::nullopt);
  CHECK(next_to_ask({asks(0, 1)}, 0) == std::nullopt);
  CHECK(next_to_ask({asks(0, 1)}, 1) == 0);
  CHECK(next_to_ask({asks(1, 1)}, 1) == std::nullopt);
  CHECK(next_to_ask({asks(1, 1)}, 2) == 0);
  CHECK(next_to_ask({asks(1, 1), asks(0, 2)}, 1) == 1);
}

TEST_CASE("who has fewer questions to git under way comes first, then who has "
          "waited for longer") {
  CHECK(next_to_ask({asks(2, 1), asks(1, 9), asks(1, 5)}, 3) == 2);
  CHECK(next_to_ask({asks(0, 7), asks(0, 7)}, 3) == 0);
}

TEST_CASE("a project waits for one question to git of others at most") {
  constexpr std::size_t threads = 4;
  std::size_t free = threads;
  std::vector<asking_project> all{asks(0, 0)}; // with more and more to ask
  auto begin_what_can = [&] {
    while (auto next = next_to_ask(all, free)) {
      ++all[*next].running;
      --free;
    }
  };
  begin_what_can();
  CHECK(all[0].running == threads - 1);
  all.push_back(asks(0, 1));
  begin_what_can();
  CHECK(all[1].running == 1);
  CHECK(free == 0);
  for (int late = 2; late < 4; ++late) {
    all.push_back(asks(0, late));
    begin_what_can();
    CHECK(all.back().running == 0);
    --all[0].running;
    ++free;
    begin_what_can();
    CHECK(all.back().running == 1);
  }
}
