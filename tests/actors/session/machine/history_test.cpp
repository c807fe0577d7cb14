// Thousands of histories of a session, each of chance: whatever comes when,
// every request is answered once, and no exec or ending is lost.
//
// GREENROOM_HISTORY_SEED=N plays one history and prints its steps,
// GREENROOM_HISTORIES=N plays so many.
#include "tests/actors/session/machine/history.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>

using greenroom::session::test::world;

namespace {

std::uint64_t number(const char* variable, std::uint64_t otherwise) {
  auto* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void play(std::uint64_t seed, bool trace) {
  world w{seed, trace};
  for (int part = 0; part < 4; ++part) {
    for (int i = 0; i < 60; ++i)
      w.step();
    w.settle();
  }
  w.finish();
}

} // namespace

TEST_CASE("whatever happens to a session, every request is answered once") {
  if (auto seed = number("GREENROOM_HISTORY_SEED", 0); seed != 0) {
    play(seed, true);
    return;
  }
  auto histories = number("GREENROOM_HISTORIES", 3000);
  for (std::uint64_t seed = 1; seed <= histories; ++seed)
    REQUIRE_NOTHROW(play(seed, false));
}
