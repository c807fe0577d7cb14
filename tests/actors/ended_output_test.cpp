// Whose output goes: that of the sessions of a project that ended first, and
// never another project's.
#include "actors/ended_output.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;

using ids = std::vector<std::string>;

TEST_CASE("the output of the sessions that ended first goes where a project's "
          "keep too much") {
  ended_output kept{100};
  kept.add({"demo", "b", 2}, 40);
  kept.add({"demo", "a", 1}, 40);
  kept.add({"other", "x", 1}, 100);
  CHECK(kept.take_excess().empty());
  kept.add({"demo", "c", 3}, 21);
  CHECK(kept.take_excess() == ids{"a"});
  CHECK(kept.take_excess().empty());
  // As many as it needs, itself included.
  kept.add({"demo", "d", 3}, 1'000);
  CHECK(kept.take_excess() == ids{"b", "c", "d"});
  kept.add({"other", "y", 2}, 1);
  CHECK(kept.take_excess() == ids{"x"});
}

TEST_CASE("what is seen again counts once") {
  ended_output kept{100};
  ended_session first{"demo", "a", 10};
  CHECK_FALSE(kept.knows(first));
  for (int i = 0; i < 3; ++i)
    kept.add(first, 40);
  CHECK(kept.knows(first));
  CHECK(kept.take_excess().empty());
  // Without output, too.
  ended_session second{"demo", "b", 20};
  kept.add(second, 0);
  CHECK(kept.knows(second));
  kept.forget_before(20);
  CHECK_FALSE(kept.knows(first));
  CHECK(kept.knows(second));
  // It counts still.
  kept.add({"demo", "c", 30}, 61);
  CHECK(kept.take_excess() == ids{"a"});
}
