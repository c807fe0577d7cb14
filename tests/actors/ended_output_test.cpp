// Whose output goes: that of the sessions of a project that ended first, and
// never another project's.
#include "actors/ended_output.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;

using ids = std::vector<std::string>;

TEST_CASE("the output of the sessions that ended first goes where a project's "
          "keep too much") {
  ended_output kept{100};
  kept.add({"demo", "b", 2}, {40, 0});
  kept.add({"demo", "a", 1}, {40, 0});
  kept.add({"other", "x", 1}, {100, 0});
  CHECK(kept.take_excess().outputs.empty());
  kept.add({"demo", "c", 3}, {21, 0});
  CHECK(kept.take_excess().outputs == ids{"a"});
  CHECK(kept.take_excess().outputs.empty());
  // As many as it needs, itself included.
  kept.add({"demo", "d", 3}, {1'000, 0});
  CHECK(kept.take_excess().outputs == ids{"b", "c", "d"});
  kept.add({"other", "y", 2}, {1, 0});
  CHECK(kept.take_excess().outputs == ids{"x"});
}

TEST_CASE("what is seen again counts once") {
  ended_output kept{100};
  ended_session first{"demo", "a", 10};
  CHECK_FALSE(kept.knows(first));
  for (int i = 0; i < 3; ++i)
    kept.add(first, {40, 0});
  CHECK(kept.knows(first));
  CHECK(kept.take_excess().outputs.empty());
  // Without output, too.
  ended_session second{"demo", "b", 20};
  kept.add(second, {0, 0});
  CHECK(kept.knows(second));
  kept.forget_before(20);
  CHECK_FALSE(kept.knows(first));
  CHECK(kept.knows(second));
  // It counts still.
  kept.add({"demo", "c", 30}, {61, 0});
  CHECK(kept.take_excess().outputs == ids{"a"});
}

TEST_CASE(
  "where a project has no output left its sessions go, those that ended "
  "first") {
  ended_output kept{100};
  kept.add({"demo", "a", 1}, {40, 30});
  kept.add({"demo", "b", 2}, {0, 40});
  auto excess = kept.take_excess();
  CHECK(excess.outputs == ids{"a"});
  CHECK(excess.sessions.empty());
  kept.add({"demo", "c", 3}, {10, 40});
  excess = kept.take_excess();
  CHECK(excess.outputs == ids{"c"});
  CHECK(excess.sessions == ids{"a"});
  CHECK(kept.take_excess().sessions.empty());
}
