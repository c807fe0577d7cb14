#include "tests/runtime/store/fixture.hpp"

#include "runtime/store/batch.hpp"
#include "runtime/store/sql.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace greenroom;
using namespace greenroom::store;
using namespace greenroom::test;
using Catch::Contains;

namespace {

operation put_one(std::string id) {
  return
    [id = std::move(id)](connection& c) { put_project(c, some_project(id)); };
}

std::string what(const std::exception_ptr& error) {
  if (!error)
    return "";
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  }
}

bool is_unavailable(const std::exception_ptr& error) {
  try {
    if (error)
      std::rethrow_exception(error);
  } catch (const unavailable&) {
    return true;
  } catch (...) {
  }
  return false;
}

std::vector<std::string> project_ids(connection& c) {
  std::vector<std::string> result;
  for (const auto& project : projects(c))
    result.push_back(project.id);
  std::ranges::sort(result); // what came in the same moment is in any order
  return result;
}

using names = std::vector<std::string>;

} // namespace

TEST_CASE_METHOD(store_fixture, "a batch is one transaction") {
  auto watcher = place.open();
  const std::vector<operation> operations{
    put_one("a"),
    [&](connection&) { CHECK(project_ids(watcher) == names{"demo"}); },
    put_one("b")};
  auto results = run_batch(c, operations);
  CHECK(results == std::vector<std::exception_ptr>(3));
  CHECK(project_ids(watcher) == names{"a", "b", "demo"});
  CHECK(run_batch(c, {}).empty());
}

TEST_CASE_METHOD(store_fixture, "an operation that fails is undone alone") {
  const std::vector<operation> operations{
    put_one("a"),
    [](connection& inner) {
      put_project(inner, some_project("half"));
      throw std::runtime_error("after half of it");
    },
    [](connection& inner) {
      insert_session(inner, some_session("b", "none"), 1);
    },
    [](connection& inner) {
      insert_session(inner, some_session("b", "a"), 1);
    }};
  auto results = run_batch(c, operations);
  CHECK(what(results[0]).empty());
  CHECK(what(results[1]) == "after half of it");
  CHECK(what(results[2]) == "project not found");
  CHECK(what(results[3]).empty());
  CHECK(project_ids(c) == names{"a", "demo"});
  CHECK(live_sessions(c, "a").size() == 1);
}

TEST_CASE_METHOD(store_fixture, "operations see what came before them") {
  auto session = some_session("b");
  auto next = session;
  ++next.version;
  bool written = false;
  insert_result second{};
  const std::vector<operation> operations{
    [&](connection& inner) { insert_session(inner, session, 1); },
    [&](connection& inner) { written = update_session(inner, next); },
    [&](connection& inner) {
      second = insert_session(inner, some_session("c"), 1);
    }};
  run_batch(c, operations);
  CHECK(written);
  CHECK(second == insert_result::no_slot);
}

TEST_CASE_METHOD(store_fixture, "a commit that fails fails them all") {
  // A violation that SQLite notices only at the end.
  in_transaction(c, [](soci::session& sql) {
    sql << "CREATE TABLE child (parent TEXT REFERENCES projects (id)"
           " DEFERRABLE INITIALLY DEFERRED)";
  });
  const std::vector<operation> operations{
    put_one("a"), [](connection& inner) {
      execute(inner.self().sql, "INSERT INTO child VALUES ('nobody')");
    }};
  auto results = run_batch(c, operations);
  for (auto& result : results)
    CHECK_THAT(what(result), Contains("FOREIGN KEY", Catch::CaseSensitive::No));
  CHECK(project_ids(c) == names{"demo"});
  SECTION("and the next batch works again") {
    const std::vector<operation> again{put_one("a")};
    CHECK(what(run_batch(c, again)[0]).empty());
    CHECK(project_ids(c) == names{"a", "demo"});
  }
}

TEST_CASE_METHOD(store_fixture, "a transaction that the database gave up fails "
                                "the whole batch") {
  const std::vector<operation> operations{put_one("a"),
                                          [](connection& inner) {
                                            inner.self().sql << "ROLLBACK";
                                            throw unavailable(
                                              "as after an I/O error");
                                          },
                                          put_one("b")};
  auto results = run_batch(c, operations);
  CHECK(std::ranges::all_of(results, is_unavailable));
  CHECK(project_ids(c) == names{"demo"});
}

TEST_CASE_METHOD(store_fixture, "what one operation refused is not the answer "
                                "to the others of a batch that is lost") {
  const std::vector<operation> operations{put_one("a"),
                                          [](connection& inner) {
                                            inner.self().sql << "ROLLBACK";
                                            throw refused(errc::conflict,
                                                          "not yours");
                                          },
                                          put_one("b")};
  auto results = run_batch(c, operations);
  CHECK(std::ranges::all_of(results, is_unavailable));
  CHECK(project_ids(c) == names{"demo"});
}

TEST_CASE_METHOD(store_fixture, "a locked store is unavailable, then not") {
  auto hasty = place.open(20);
  const std::vector<operation> operations{put_one("a"), put_one("b")};
  c.self().sql << c.self().begin;
  if (place.is_server())
    c.self().sql << "LOCK TABLE projects";
  CHECK(std::ranges::all_of(run_batch(hasty, operations), is_unavailable));
  auto refused_one = refusal_of([&] { put_project(hasty, some_project("a")); });
  CHECK(refused_one.code == errc::unavailable);
  CHECK_THAT(refused_one.message, Contains("try again"));
  c.self().sql << "ROLLBACK";
  CHECK(run_batch(hasty, operations) == std::vector<std::exception_ptr>(2));
  CHECK(project_ids(c) == names{"a", "b", "demo"});
}

TEST_CASE_METHOD(sqlite_fixture, "a full disk is unavailable, then not") {
  auto big = some_session("big");
  big.status_reason.assign(1 << 20, 'x');
  const std::vector<operation> operations{
    put_one("a"), [&](connection& inner) { insert_session(inner, big, 9); },
    put_one("b")};
  c.self().sql << "PRAGMA max_page_count = 60";
  auto results = run_batch(c, operations);
  CHECK(is_unavailable(results[1]));
  // SQLite may undo the statement or all of it; either way answers are true.
  auto expected = names{"demo"};
  if (!results[0])
    expected = names{"a", "b", "demo"};
  CHECK(project_ids(c) == expected);
  CHECK((results[0] == nullptr) == (results[2] == nullptr));
  c.self().sql << "PRAGMA max_page_count = 1000000";
  CHECK(run_batch(c, operations) == std::vector<std::exception_ptr>(3));
  CHECK(find_session(c, big.id) == big);
}
