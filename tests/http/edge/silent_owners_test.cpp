#include "http/edge/silent_owners.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace greenroom::http;
using namespace std::chrono_literals;

TEST_CASE("an owner that has said nothing is asked once after each pause") {
  silent_owners silent;
  const auto begin = silent_owners::clock::now();
  const auto pause = silent_owners::pause;
  CHECK(silent.may_ask("a", begin));
  silent.said_nothing("a", begin);
  CHECK_FALSE(silent.may_ask("a", begin));
  CHECK_FALSE(silent.may_ask("a", begin + pause - 1ms));
  CHECK(silent.may_ask("b", begin));
  CHECK(silent.may_ask("a", begin + pause));
  // Whoever comes while that one waits.
  CHECK_FALSE(silent.may_ask("a", begin + pause));
  CHECK_FALSE(silent.may_ask("a", begin + 2 * pause - 1ms));
  silent.said_nothing("a", begin + pause + 3s);
  CHECK_FALSE(silent.may_ask("a", begin + 2 * pause));
  CHECK(silent.may_ask("a", begin + 2 * pause + 3s));
}

TEST_CASE("an owner that speaks again is asked by all") {
  silent_owners silent;
  const auto begin = silent_owners::clock::now();
  silent.said_nothing("a", begin);
  silent.spoke("a");
  CHECK(silent.may_ask("a", begin));
  CHECK(silent.may_ask("a", begin));
}

TEST_CASE("so many silent owners are remembered at most") {
  silent_owners silent;
  const auto begin = silent_owners::clock::now();
  const auto all = silent_owners::limit + 10;
  for (std::size_t i = 0; i < all; ++i)
    silent.said_nothing(std::to_string(i), begin);
  std::size_t forgotten = 0;
  for (std::size_t i = 0; i < all; ++i)
    forgotten += silent.may_ask(std::to_string(i), begin) ? 1 : 0;
  CHECK(forgotten == 10);
}
