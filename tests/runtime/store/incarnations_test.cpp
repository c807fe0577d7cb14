// A project's id may be used again: what an earlier project of that id has left
// is nobody's.
#include "tests/runtime/store/fixture.hpp"

#include "runtime/store/reviews.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;
using namespace greenroom::store;
using namespace greenroom::test;
using Catch::Contains;

namespace {

std::vector<std::string> listed(connection& c, const std::string& project) {
  session_query query;
  query.project_id = project;
  std::vector<std::string> ids;
  for (auto& session : list_sessions(c, query).sessions)
    ids.push_back(session.id);
  return ids;
}

project_record moved() {
  auto project = some_project();
  project.repo = "/srv/other.git";
  return project;
}

} // namespace

TEST_CASE_METHOD(store_fixture, "a project of a used id is another one") {
  auto old = end(insert(some_session("a")));
  CHECK(projects(c).at(0).incarnation == 0);
  SECTION("after a deletion") {
    REQUIRE(delete_project(c, "demo"));
    CHECK(put_project(c, some_project()).incarnation == 1);
  }
  SECTION("with another repo") {
    CHECK(put_project(c, moved()).incarnation == 1);
  }
  SECTION("with another repo in the configuration file") {
    CHECK(configure_project(c, moved()).incarnation == 1);
  }
  CHECK(projects(c).at(0).incarnation == 1);
  CHECK(listed(c, "demo").empty());
  // It is kept for as long as ended sessions are.
  auto kept = find_session(c, old.id);
  REQUIRE(kept);
  CHECK(kept->project_id == "demo~0");
  auto next = end(insert(some_session("a")));
  CHECK(listed(c, "demo") == std::vector{next.id});
  REQUIRE(delete_project(c, "demo"));
  CHECK(put_project(c, some_project()).incarnation == 2);
  CHECK(listed(c, "demo").empty());
}

TEST_CASE_METHOD(store_fixture,
                 "other changes of a project leave it the same") {
  auto old = end(insert(some_session("a")));
  auto project = some_project();
  project.setup = "make";
  project.stopped = true;
  CHECK(put_project(c, project).incarnation == 0);
  CHECK(listed(c, "demo") == std::vector{old.id});
  // The file says nothing of this.
  CHECK(configure_project(c, some_project()).stopped);
}

TEST_CASE_METHOD(store_fixture, "a project in use keeps its repo") {
  auto live = insert(some_session("a"));
  auto what = refusal_of([&] { put_project(c, moved()); });
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message, Contains("live sessions"));
  CHECK(refusal_of([&] { delete_project(c, "demo"); }).code == errc::conflict);
  // A node starts all the same.
  auto taken = configure_project(c, moved());
  CHECK(taken.repo == "/srv/demo.git");
  CHECK(taken.incarnation == 0);
  CHECK(projects(c).at(0) == taken);
  end(live);
  CHECK(configure_project(c, moved()).repo == "/srv/other.git");
}
