#include "actors/project/rescue_pause.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;
using namespace std::chrono_literals;

TEST_CASE("an upstream that is away is asked again within minutes") {
  CHECK(rescue_pause(0, 0.5) == 2s);
  CHECK(rescue_pause(1, 0.5) == 5s);
  CHECK(rescue_pause(2, 0.5) == 10s);
  CHECK(rescue_pause(6, 0.5) == 160s);
  for (auto failures : {7U, 8U, 100U, 4'000'000'000U})
    CHECK(rescue_pause(failures, 0.5) == 300s);
  CHECK(rescue_pause(100, 0) == 240s);
  CHECK(rescue_pause(100, 1) == 360s);
}
