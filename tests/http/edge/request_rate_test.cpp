#include "http/edge/request_rate.hpp"

#include <catch2/catch.hpp>

using namespace greenroom::http;
using namespace std::chrono_literals;

TEST_CASE("so many are let in within any minute, for each by itself") {
  request_rate rate{2};
  const auto begin = request_rate::clock::now();
  CHECK(rate.take("a", begin) == 0ms);
  CHECK(rate.take("a", begin + 20s) == 0ms);
  CHECK(rate.take("a", begin + 30s) == 30s);
  CHECK(rate.take("b", begin + 30s) == 0ms);
  // Who was refused does not count.
  CHECK(rate.take("a", begin + 60s) == 0ms);
  CHECK(rate.take("a", begin + 61s) == 19s);
  CHECK(rate.take("a", begin + 300s) == 0ms);
}

TEST_CASE("who was let in and refused elsewhere does not count") {
  request_rate rate{1};
  const auto begin = request_rate::clock::now();
  CHECK(rate.take("a", begin) == 0ms);
  rate.give_back("a");
  CHECK(rate.take("a", begin) == 0ms);
  CHECK(rate.take("a", begin) == 60s);
  rate.give_back("nobody");
}

TEST_CASE("without a limit nobody is refused") {
  request_rate rate{0};
  for (int i = 0; i < 1000; ++i)
    CHECK(rate.take("a") == 0ms);
}
