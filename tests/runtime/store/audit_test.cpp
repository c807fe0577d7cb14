#include "runtime/store/audit.hpp"

#include "tests/runtime/store/fixture.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;
using namespace greenroom::store;
using namespace greenroom::test;

namespace {

audit_entry some_entry(unix_ms time) {
  audit_entry entry;
  entry.id = make_id();
  entry.time = time;
  entry.node = "here";
  entry.key_id = "k1";
  entry.key_name = "Ada";
  entry.address = "192.0.2.1";
  entry.request_id = "r-1";
  entry.method = "POST";
  entry.route = "/projects/{id}/sessions";
  entry.project_id = "demo";
  entry.session_id = make_id();
  entry.object = "made";
  entry.status = 201;
  entry.code = "";
  entry.requests = 3;
  entry.bytes = std::uint64_t{1} << 40;
  return entry;
}

std::vector<unix_ms> times_of(const audit_page& page) {
  std::vector<unix_ms> result;
  for (const auto& entry : page.entries)
    result.push_back(entry.time);
  return result;
}

using times = std::vector<unix_ms>;

} // namespace

TEST_CASE_METHOD(store_fixture, "an entry of the audit comes back as it was, "
                                "and once however often it is added") {
  auto entry = some_entry(5);
  entry.key_name = "Ad\xe4 :a, 'b'";
  store::add_audit(c, std::vector{entry});
  store::add_audit(c, std::vector{entry, some_entry(6)});
  auto page = list_audit(c, {});
  REQUIRE(page.entries.size() == 2);
  // What is no UTF-8 does not keep every database from having the rest.
  CHECK(page.entries[1].key_name != "");
  entry.key_name = page.entries[1].key_name;
  CHECK(page.entries[1] == entry);
  CHECK(page.next_cursor.empty());
}

TEST_CASE_METHOD(store_fixture,
                 "pages of the audit are newest first, without a gap") {
  std::vector<audit_entry> all;
  for (unix_ms time : {1, 2, 2, 3, 3, 3, 4})
    all.push_back(some_entry(time));
  store::add_audit(c, all);
  query_audit query;
  query.limit = GENERATE(1u, 2u, 3u, 6u, 7u, 8u);
  times seen;
  do {
    auto page = list_audit(c, query);
    CHECK(page.entries.size() <= query.limit);
    for (auto time : times_of(page))
      seen.push_back(time);
    query.cursor = page.next_cursor;
  } while (!query.cursor.empty());
  CHECK(seen == times{4, 3, 3, 3, 2, 2, 1});
  query.cursor = "nonsense";
  CHECK(refusal_of([&] { list_audit(c, query); }).code == errc::bad_request);
}

TEST_CASE_METHOD(store_fixture, "the audit is read by project, session, key "
                                "and time") {
  auto a = some_entry(1);
  auto b = some_entry(2);
  b.project_id = "other";
  auto d = some_entry(3);
  d.project_id = "third";
  d.key_id = "k2";
  store::add_audit(c, std::vector{a, b, d});
  auto times_with = [&](query_audit query) {
    return times_of(list_audit(c, query));
  };
  CHECK(times_with({{"other"}}) == times{2});
  CHECK(times_with({{"third", "demo"}}) == times{3, 1});
  CHECK(times_with({{}, a.session_id}) == times{1});
  CHECK(times_with({{}, {}, "k1"}) == times{2, 1});
  CHECK(times_with({{}, {}, {}, 2}) == times{3, 2});
  CHECK(times_with({{"demo"}, {}, "k2"}).empty());
}

TEST_CASE_METHOD(store_fixture, "the audit keeps what is young, and so much") {
  std::vector<audit_entry> all;
  for (unix_ms time = 1; time <= 9; ++time)
    all.push_back(some_entry(time));
  store::add_audit(c, all);
  CHECK(store::drop_audit(c, 3, 100) == 2);
  CHECK(times_of(list_audit(c, {})) == times{9, 8, 7, 6, 5, 4, 3});
  CHECK(store::drop_audit(c, 0, 3) == 4);
  CHECK(times_of(list_audit(c, {})) == times{9, 8, 7});
  CHECK(store::drop_audit(c, 0, 3) == 0);
}

TEST_CASE_METHOD(store_fixture, "a node's live sessions are counted") {
  auto one = insert(some_session("a"));
  insert(some_session("b"));
  auto elsewhere = some_session("c");
  elsewhere.node = "there";
  insert(elsewhere);
  end(insert(some_session("d")));
  one.status = session_status::active;
  ++one.version;
  REQUIRE(update_session(c, one));
  auto counts = count_live(c, "here");
  CHECK(counts.creating == 1);
  CHECK(counts.active == 1);
  CHECK(counts.checking_in == 0);
}
