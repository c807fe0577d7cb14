#include "actors/base/exec_loads.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;
using Catch::Contains;

TEST_CASE("without limits every command is let in") {
  exec_loads loads{{}};
  for (int i = 0; i < 100; ++i)
    CHECK(loads.admit({"s", "p", "k"}).empty());
}

TEST_CASE("a project has so many commands, and whose they are is said") {
  exec_loads loads{{.of_project = 3}};
  loads.set({"a", "p", "k1"}, {1});
  CHECK(loads.admit({"b", "p", "k2"}).empty());
  CHECK(loads.admit({"b", "p", "k2"}).empty());
  CHECK(loads.admit({"c", "p", "k3"})
        == "project \"p\" has 3 commands that run or wait, and its limit is 3 "
           "(limits.project_execs): 2 in session b, 1 in session a; wait until "
           "one ends, or cancel one");
  CHECK(loads.admit({"x", "other", "k1"}).empty());
  // A session says how it is, and that counts.
  loads.set({"b", "p", "k2"}, {0});
  CHECK(loads.admit({"c", "p", "k3"}).empty());
  CHECK(loads.admit({"c", "p", "k3"}).empty());
  CHECK_FALSE(loads.admit({"c", "p", "k3"}).empty());
}

TEST_CASE("a key has so many commands in all that it has made") {
  exec_loads loads{{.of_key = 2}};
  loads.set({"a", "p", "k"}, {1});
  loads.set({"b", "q", "k"}, {1});
  loads.set({"c", "q", "other"}, {5});
  CHECK_THAT(loads.admit({"c2", "r", "k"}, "Ada"),
             Contains("key \"Ada\" (k) has 2 commands"));
  CHECK_THAT(loads.admit({"c2", "r", "k"}), Contains("key \"k\" has 2 commands")
                                              && Contains("in session a")
                                              && Contains("limits.key_execs"));
  for (int i = 0; i < 10; ++i)
    loads.set({"s" + std::to_string(i), "p", "k"}, {1});
  CHECK_THAT(loads.admit({"c2", "r", "k"}), Contains(" and others;"));
}

TEST_CASE("how many commands run is known of each session and of all") {
  exec_loads loads{{}};
  loads.set({"a", "p", "k"}, {3, 2});
  loads.set({"b", "p", "k"}, {1, 1});
  CHECK(loads.admit({"c", "p", "k"}).empty());
  CHECK(loads.running_in("a") == 2);
  CHECK(loads.running_in("c") == 0);
  CHECK(loads.running() == 3);
  loads.set({"a", "p", "k"}, {});
  CHECK(loads.running() == 1);
}
