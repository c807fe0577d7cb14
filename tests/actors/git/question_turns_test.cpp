// Whose question to git begins next.
#include "actors/git/question_turns.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

using namespace greenroom;

namespace {

using std::chrono::seconds;

std::chrono::steady_clock::time_point at_second(int second) {
  return std::chrono::steady_clock::time_point{seconds{second}};
}

asking_project asks(std::size_t running, int since, int ended = 0) {
  return {running, at_second(since), at_second(ended)};
}

// Threads and projects of which each always has more to ask, and git never
// ends: second by second, as the dispatcher has them.
struct asking_world {
  struct question {
    std::size_t of;
    int began;
  };
  std::size_t threads;
  std::vector<asking_project> projects{};
  std::vector<question> running{};
  int now = 0;

  void begin_what_can() {
    while (auto next = next_to_ask(projects, threads - running.size())) {
      ++projects[*next].running;
      running.push_back({*next, now});
    }
  }
  void end_who_has_to() {
    std::vector<running_question> all;
    for (auto& one : running)
      all.push_back({projects[one.of].running, at_second(one.began)});
    auto which = next_to_end(all, projects, threads - running.size());
    if (!which || at_second(now) < all[*which].began + question_share)
      return;
    auto over = running.begin() + static_cast<std::ptrdiff_t>(*which);
    --projects[over->of].running;
    projects[over->of].ended = at_second(now);
    running.erase(over);
    begin_what_can();
    end_who_has_to();
  }
  void second() {
    ++now;
    begin_what_can();
    end_who_has_to();
  }
  // Seconds until one that comes now has its turn; -1: it never has.
  int wait_of_another() {
    const auto came = now;
    projects.push_back(asks(0, now));
    begin_what_can();
    end_who_has_to();
    while (projects.back().running == 0 && now < came + 1000)
      second();
    return projects.back().running > 0 ? now - came : -1;
  }
};

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

TEST_CASE("who had a turn is behind those that have waited since, however long "
          "the rest of what it asks of git has") {
  CHECK(next_to_ask({asks(0, 1, 9), asks(0, 5)}, 1) == 1);
  CHECK(next_to_ask({asks(0, 1, 4), asks(0, 5)}, 1) == 0);
}

TEST_CASE("a question to git ends for a project that has none, and for no "
          "other") {
  const std::vector<running_question> all{
    {1, at_second(3)}, {2, at_second(7)}, {2, at_second(5)}};
  CHECK(next_to_end(all, {asks(0, 1)}, 0) == 2);
  CHECK(next_to_end(all, {asks(0, 1)}, 1) == std::nullopt);
  CHECK(next_to_end(all, {asks(1, 1), asks(2, 1)}, 0) == std::nullopt);
  CHECK(next_to_end(all, {}, 0) == std::nullopt);
  CHECK(next_to_end({}, {asks(0, 1)}, 0) == std::nullopt);
}

TEST_CASE("a project waits for a question's share at most, where as many "
          "others as there are threads ask git without an end") {
  asking_world w{4};
  for (int i = 0; i < 4; ++i)
    w.projects.push_back(asks(0, 0));
  for (int i = 0; i < 100; ++i)
    w.second();
  CHECK(w.wait_of_another() == 0); // those have had theirs
  for (int i = 0; i < 20; ++i) {
    const auto waited = w.wait_of_another();
    CHECK(waited >= 0);
    // One share for each four that are in line before it.
    const auto turns = static_cast<int>(w.projects.size() + 3) / 4;
    CHECK(waited <= turns * question_share.count());
  }
  asking_world fresh{4};
  for (int i = 0; i < 4; ++i)
    fresh.projects.push_back(asks(0, 0));
  fresh.begin_what_can();
  CHECK(fresh.wait_of_another() == question_share.count());
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
