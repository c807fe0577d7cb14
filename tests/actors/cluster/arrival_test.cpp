// What a node that has come says that it waits for.
#include "actors/cluster/machine/arrival.hpp"

#include <catch2/catch.hpp>

namespace greenroom::test {

namespace {

node_record living(const std::string& name, millis lease_left = 1'000) {
  node_record result;
  result.name = name;
  result.lease_left = lease_left;
  return result;
}

using texts = std::vector<std::string>;

} // namespace

TEST_CASE("a node that has come waits for links and for its projects") {
  const std::vector<node_record> all{living("a"), living("b"), living("c"),
                                     living("gone", 0)};
  CHECK(cluster::missing_for("a", all, {{"b", false}}, {"p", "q"})
        == texts{"the node has come just now, and is not linked yet with: b, c",
                 "the node has come just now, and does not serve yet what is "
                 "its own of the projects: p, q"});
  CHECK(cluster::missing_for("a", all, {{"b", true}, {"c", true}}, {}).empty());
  CHECK(cluster::missing_for("a", {living("a")}, {}, {}).empty());
}

TEST_CASE("what a node waits for is told until it is over, for good") {
  cluster::arrival it;
  CHECK(it.missing().size() == 1); // it knows nothing yet
  it.wait_for({"something"});
  CHECK(it.missing() == texts{"something"});
  CHECK_FALSE(it.is_over());
  it.end();
  CHECK(it.missing().empty());
  CHECK(it.is_over());
}

} // namespace greenroom::test
