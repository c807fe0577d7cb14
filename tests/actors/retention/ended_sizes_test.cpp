// What goes: the output of those sessions of a project that ended first, then
// they themselves, and never another project's.
#include "actors/retention/ended_sizes.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;

namespace {

using ids = std::vector<std::string>;

ids outputs(const ended_sizes::excess& of) {
  ids result;
  for (auto& one : of.outputs)
    result.push_back(one.id);
  return result;
}

} // namespace

TEST_CASE("the output of the sessions that ended first goes where a project's "
          "keep too much") {
  ended_sizes known{100};
  known.put({"demo", "z", 2}, {40, 0});
  known.put({"demo", "a", 1}, {40, 0});
  known.put({"other", "x", 1}, {100, 0});
  CHECK(outputs(known.take_excess()).empty());
  known.put({"demo", "c", 3}, {21, 0});
  CHECK(outputs(known.take_excess()) == ids{"a"});
  CHECK(outputs(known.take_excess()).empty());
  // As many as it needs, itself included.
  known.put({"demo", "d", 3}, {1'000, 0});
  CHECK(outputs(known.take_excess()) == ids{"z", "c", "d"});
  known.put({"other", "y", 2}, {1, 0});
  CHECK(outputs(known.take_excess()) == ids{"x"});
}

TEST_CASE(
  "where a project has no output left its sessions go, those that ended "
  "first") {
  ended_sizes known{100};
  known.put({"demo", "a", 1}, {40, 30});
  known.put({"demo", "b", 2}, {0, 40});
  auto excess = known.take_excess();
  CHECK(outputs(excess) == ids{"a"});
  CHECK(excess.sessions.empty());
  known.put({"demo", "c", 3}, {10, 40});
  excess = known.take_excess();
  CHECK(outputs(excess) == ids{"c"});
  CHECK(excess.sessions == ids{"a"});
  CHECK(known.take_excess().sessions.empty());
}

TEST_CASE("what ends again counts once, as what ended last") {
  ended_sizes known{100};
  ended_session review{"demo", "r", 1, true};
  CHECK_FALSE(known.knows(review));
  known.put(review, {60, 0});
  CHECK(known.knows(review));
  known.put({"demo", "a", 2}, {30, 0});
  review.ended_at = 3;
  CHECK_FALSE(known.knows(review));
  known.put(review, {65, 0});
  CHECK(known.knows(review));
  CHECK(outputs(known.take_excess()).empty());
  known.put({"demo", "b", 4}, {10, 0});
  auto excess = known.take_excess();
  CHECK(outputs(excess) == ids{"a"});
  CHECK_FALSE(excess.outputs.front().is_review);
}
