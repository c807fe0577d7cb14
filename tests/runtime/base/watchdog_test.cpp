#include "runtime/base/watchdog.hpp"

#include <catch2/catch.hpp>

#include <future>

using namespace greenroom;
using namespace std::chrono_literals;

TEST_CASE("a watchdog speaks up when work takes too long") {
  std::promise<void> called;
  watchdog dog{1ms, [&] { called.set_value(); }};
  CHECK(called.get_future().wait_for(30s) == std::future_status::ready);
}

TEST_CASE("a watchdog is quiet, and gone at once, when work is done in time") {
  bool called = false;
  auto begin = std::chrono::steady_clock::now();
  {
    watchdog dog{1h, [&] { called = true; }};
  }
  CHECK_FALSE(called);
  CHECK(std::chrono::steady_clock::now() - begin < 1min);
}
