#include "tests/runtime/store/fixture.hpp"

#include "runtime/store/batch.hpp"
#include "runtime/store/session_sql.hpp"
#include "runtime/store/sql.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <functional>
#include <set>

using namespace greenroom;
using namespace greenroom::store;
using namespace greenroom::test;
using Catch::Contains;

namespace {

using listed_ids = std::vector<std::string>;

listed_ids ids_of(const std::vector<session_record>& sessions) {
  listed_ids result;
  for (const auto& session : sessions)
    result.push_back(session.id);
  return result;
}

// How SQLite would run a statement.
std::string plan(connection& c, const std::string& statement) {
  std::string result;
  int number = 0;
  std::string line;
  soci::statement explain =
    (c.self().sql.prepare << "EXPLAIN QUERY PLAN " + statement,
     soci::into(number), soci::into(number), soci::into(number),
     soci::into(line));
  explain.execute();
  while (explain.fetch())
    result += line + '\n';
  return result;
}

struct listing_fixture : store_fixture {
  // `count` sessions that are over, in pairs of the same moment, returned in
  // the order of a list.
  listed_ids fill(int count) {
    std::vector<session_record> all;
    for (int i = 0; i < count; ++i) {
      auto session = some_session("b" + std::to_string(i));
      session.created_at = 1'000 + i / 2;
      session.status =
        i % 4 == 0 ? session_status::expired : session_status::ended;
      session.feature_slug = i % 3 == 0 ? "three" : "";
      all.push_back(insert(session));
    }
    std::ranges::sort(all, std::greater<>{}, [](const session_record& s) {
      return std::pair{s.created_at, s.id};
    });
    return ids_of(all);
  }
};

} // namespace

TEST_CASE_METHOD(listing_fixture, "a list is newest first, of one project") {
  auto expected = fill(9);
  put_project(c, some_project("other"));
  insert(some_session("b", "other"));
  auto list = list_sessions(c, {"demo"});
  CHECK(ids_of(list.sessions) == expected);
  CHECK(list.next_cursor.empty());
  CHECK(list_sessions(c, {"none"}).sessions.empty());
}

TEST_CASE_METHOD(listing_fixture, "pages follow each other without a gap") {
  auto expected = fill(9);
  auto size = GENERATE(1u, 2u, 3u, 8u, 9u, 10u);
  session_query query{"demo"};
  query.limit = size;
  listed_ids found;
  for (;;) {
    auto page = list_sessions(c, query);
    REQUIRE(page.sessions.size() <= size);
    for (auto& id : ids_of(page.sessions))
      found.push_back(std::move(id));
    if (page.next_cursor.empty())
      break;
    REQUIRE(page.sessions.size() == size);
    query.cursor = page.next_cursor;
  }
  CHECK(found == expected);
}

TEST_CASE_METHOD(store_fixture, "a list is filtered by maker and by label") {
  auto made = [&](const char* branch, const char* by, string_map labels) {
    auto session = some_session(branch);
    session.created_by = by;
    session.labels = std::move(labels);
    return insert(session).id;
  };
  auto one = made("a", "ada", {{"team", "core"}, {"ci", ""}});
  auto two = made("b", "bob", {{"team", "web"}});
  auto three = made("c", "ada", {{"teams", "core"}});
  auto found = [&](const std::string& by, const std::string& label,
                   std::uint32_t limit = 0) {
    session_query query{"demo"};
    query.created_by = by;
    query.label = label;
    query.limit = limit;
    std::set<std::string> result;
    do {
      auto page = list_sessions(c, query);
      for (auto& session : page.sessions)
        result.insert(session.id);
      query.cursor = page.next_cursor;
    } while (!query.cursor.empty());
    return result;
  };
  using set = std::set<std::string>;
  for (std::uint32_t limit : {0, 1, 2}) {
    CHECK(found("ada", "", limit) == set{one, three});
    CHECK(found("", "team", limit) == set{one, two});
    CHECK(found("", "team=core", limit) == set{one});
    CHECK(found("bob", "team=core", limit).empty());
    CHECK(found("", "ci=", limit) == set{one});
    CHECK(found("", "none", limit).empty());
  }
}

TEST_CASE_METHOD(listing_fixture, "a cursor alone gives all that follows") {
  auto expected = fill(5);
  session_query query{"demo"};
  query.limit = 2;
  query.cursor = list_sessions(c, query).next_cursor;
  query.limit = 0;
  CHECK(ids_of(list_sessions(c, query).sessions)
        == listed_ids(expected.begin() + 2, expected.end()));
}

TEST_CASE_METHOD(listing_fixture, "a page is not moved by what is new") {
  auto expected = fill(6);
  session_query query{"demo"};
  query.limit = 3;
  query.cursor = list_sessions(c, query).next_cursor;
  auto fresh = some_session("new");
  fresh.created_at = 9'000;
  insert(fresh);
  CHECK(ids_of(list_sessions(c, query).sessions)
        == listed_ids(expected.begin() + 3, expected.end()));
}

TEST_CASE_METHOD(listing_fixture, "lists can be of one status or feature") {
  fill(12);
  session_query query{"demo"};
  query.status = session_status::expired;
  CHECK(list_sessions(c, query).sessions.size() == 3);
  query.feature_slug = "three";
  auto both = list_sessions(c, query).sessions;
  REQUIRE(both.size() == 1);
  CHECK(both[0].branch == "b0");
  query.status.reset();
  CHECK(list_sessions(c, query).sessions.size() == 4);
  query.limit = 3;
  auto page = list_sessions(c, query);
  CHECK(page.sessions.size() == 3);
  query.cursor = page.next_cursor;
  page = list_sessions(c, query);
  CHECK(page.sessions.size() == 1);
  CHECK(page.next_cursor.empty());
  query.feature_slug = "' OR 1 = 1 --";
  CHECK(list_sessions(c, query).sessions.empty());
}

TEST_CASE_METHOD(listing_fixture, "a cursor of somebody else is refused") {
  auto id = make_id();
  auto bad = GENERATE_COPY(values<std::string>(
    {"x", "-", "1", "1-", "-" + id, "x-" + id, "1-" + id + "a", " 1-" + id,
     "1 -" + id, "99999999999999999999-" + id, "1-' OR 1=1",
     std::string("1-\0", 3)}));
  session_query query{"demo"};
  query.cursor = bad;
  CHECK(
    refusal_of([&] { list_sessions(c, query); })
    == refusal{errc::bad_request, "cursor is not one that this server gave"});
}

TEST_CASE_METHOD(sqlite_fixture, "ten thousand sessions are found by index") {
  // Half of them live, on a hundred projects; half of them ended, on one.
  constexpr int projects = 100;
  constexpr int each = 50;
  for (int p = 0; p < projects; ++p)
    put_project(c, some_project("p" + std::to_string(p)));
  std::vector<operation> operations;
  for (int p = 0; p < projects; ++p)
    for (int i = 0; i < each; ++i) {
      auto live =
        some_session("b" + std::to_string(i), "p" + std::to_string(p));
      auto over = some_session("b");
      over.status = session_status::ended;
      over.created_at = i * projects + p;
      for (const auto& session : {live, over})
        operations.emplace_back([session](connection& inner) {
          if (insert_session(inner, session, each) != insert_result::ok)
            throw std::runtime_error("not inserted");
        });
    }
  constexpr std::size_t batch = 500;
  for (std::size_t i = 0; i < operations.size(); i += batch)
    for (const auto& error :
         run_batch(c, std::span{operations}.subspan(i, batch)))
      REQUIRE(error == nullptr);
  execute(c.self().sql, "ANALYZE");

  session_query query{"demo"};
  query.limit = 200;
  auto page = list_sessions(c, query);
  REQUIRE(page.sessions.size() == 200);
  CHECK(page.sessions.front().created_at == projects * each - 1);
  query.cursor = page.next_cursor;
  CHECK(list_sessions(c, query).sessions.front().created_at
        == projects * each - 201);

  for (const auto& with_cursor : {"", query.cursor.c_str()}) {
    query.cursor = with_cursor;
    auto steps = plan(c, listing_sql(query));
    CAPTURE(steps);
    CHECK_THAT(steps, Contains("USING INDEX sessions_listing"));
    CHECK_THAT(steps, !Contains("SCAN") && !Contains("TEMP B-TREE"));
  }
  auto live_steps = plan(c, live_sql());
  CAPTURE(live_steps);
  CHECK((live_steps.find("sessions_slot") != std::string::npos
         || live_steps.find("sessions_branch") != std::string::npos));
  auto steps = plan(c, take_live_sql());
  CAPTURE(steps);
  CHECK_THAT(steps, Contains("USING INDEX sessions_node"));
  CHECK(take_live_sessions(c, "here").size() == projects * each);
}
