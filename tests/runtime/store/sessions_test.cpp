#include "tests/runtime/store/fixture.hpp"

#include "runtime/store/sql.hpp"

#include <catch2/catch.hpp>

#include <set>
#include <string>

using namespace greenroom;
using namespace greenroom::store;
using namespace greenroom::test;
using Catch::Contains;

namespace {

// Every field has a value that none other has.
session_record full_session() {
  auto session = some_session("feature/x");
  session.status = session_status::active;
  session.status_reason = "because \"of\" it's ünïcode";
  session.new_branch = true;
  session.base_commit = std::string(40, 'a');
  session.created_at = 1'795'392'707'123;
  session.expires_at = 1'795'392'807'123;
  session.ended_at = 1'795'392'907'123;
  session.feature_slug = "slug";
  session.expiry = on_expire::checkin;
  session.labels = {{"a", "1"}, {"b", "\"quoted\"\nline"}};
  session.preview_port = 65535;
  session.token_hash = std::string(64, 'd');
  session.commit = std::string(40, 'b');
  session.review_id = "r";
  session.rescue_refs = {
    {"refs/greenroom/rescue/x/tree", "c1", "the \"files\""},
    {"refs/greenroom/rescue/x/tags/v1", "c2", ""}};
  session.rescue_note = "in the mirror only";
  session.epoch = 0x7fff'ffff'ffff'fff0;
  session.version = 3'000'000'000;
  session.warned = 300'000;
  return session;
}

} // namespace

TEST_CASE_METHOD(store_fixture, "a session comes back as it was put in") {
  auto session = insert(full_session());
  CHECK(find_session(c, session.id) == session);
  CHECK(find_session(c, make_id()) == std::nullopt);
}

TEST_CASE_METHOD(store_fixture, "a session needs its project") {
  auto what =
    refusal_of([&] { insert_session(c, some_session("b", "other"), 1); });
  CHECK(what == refusal{errc::not_found, "project not found"});
}

TEST_CASE_METHOD(store_fixture, "no more sessions live than the limit says") {
  insert(some_session("a"), 2);
  auto second = insert(some_session("b"), 2);
  CHECK(insert_session(c, some_session("c"), 2) == insert_result::no_slot);
  CHECK(insert_session(c, some_session("a"), 2) == insert_result::no_slot);
  end(second);
  CHECK(insert_session(c, some_session("c"), 2) == insert_result::ok);
  CHECK(insert_session(c, some_session("d"), 2) == insert_result::no_slot);
}

TEST_CASE_METHOD(store_fixture, "a lowered limit counts those that live") {
  auto first = insert(some_session("a"), 3);
  auto second = insert(some_session("b"), 3);
  insert(some_session("c"), 3);
  end(first); // the lowest slot is free now
  CHECK(insert_session(c, some_session("d"), 2) == insert_result::no_slot);
  CHECK(insert_session(c, some_session("d"), 1) == insert_result::no_slot);
  end(second);
  CHECK(insert_session(c, some_session("d"), 2) == insert_result::ok);
}

TEST_CASE_METHOD(store_fixture, "a branch is held while its session lives") {
  auto holder = insert(some_session("a"));
  CHECK(insert_session(c, some_session("a"), 9) == insert_result::branch_taken);
  put_project(c, some_project("other"));
  CHECK(insert_session(c, some_session("a", "other"), 9) == insert_result::ok);
  holder.status = session_status::checking_in;
  ++holder.version;
  REQUIRE(update_session(c, holder));
  CHECK(insert_session(c, some_session("a"), 9) == insert_result::branch_taken);
  end(holder);
  CHECK(insert_session(c, some_session("a"), 9) == insert_result::ok);
}

TEST_CASE_METHOD(store_fixture,
                 "a live branch keeps off those that git cannot keep with it") {
  auto holder = insert(some_session("a/b"));
  for (auto branch : {"a", "a/b", "a/b/c", "a/b/c/d"})
    CHECK(insert_session(c, some_session(branch), 9)
          == insert_result::branch_taken);
  for (auto branch : {"a/c", "a/bb", "ab", "b", "A"})
    CHECK(insert_session(c, some_session(branch), 9) == insert_result::ok);
  put_project(c, some_project("other"));
  CHECK(insert_session(c, some_session("a", "other"), 9) == insert_result::ok);
  end(holder);
  CHECK(insert_session(c, some_session("a/b/c"), 9) == insert_result::ok);
}

TEST_CASE_METHOD(store_fixture, "an id is used once") {
  auto session = insert(some_session("a"));
  session.branch = "b";
  auto what = refusal_of([&] { insert_session(c, session, 9); });
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message, Contains(session.id));
}

TEST_CASE_METHOD(store_fixture, "slot and branch are constraints of the "
                                "database itself") {
  insert(some_session("a"));
  auto second = insert(some_session("b"));
  auto change = [&](const std::string& what) {
    in_transaction(c, [&](soci::session& sql) {
      execute(sql, "UPDATE sessions SET " + what + " WHERE id = :id",
              soci::use(second.id, "id"));
    });
  };
  CHECK_THROWS_WITH(change("slot = 0"),
                    Contains("UNIQUE", Catch::CaseSensitive::No));
  CHECK_THROWS_WITH(change("branch = 'a'"),
                    Contains("UNIQUE", Catch::CaseSensitive::No));
  CHECK_NOTHROW(change("slot = 0, branch = 'a', status = 'ended'"));
}

TEST_CASE_METHOD(store_fixture, "an update writes all that can change") {
  auto session = insert(some_session("a"));
  auto next = full_session();
  next.id = session.id;
  next.epoch = session.epoch;
  next.version = session.version + 1;
  CHECK(update_session(c, next));
  CHECK(find_session(c, session.id) == next);
}

TEST_CASE_METHOD(store_fixture, "who does not own a session cannot write it") {
  auto session = insert(some_session("a"));
  auto taken = take_session(c, session.id, "there");
  REQUIRE(taken);
  auto expected = session;
  expected.epoch = 2;
  expected.node = "there";
  CHECK(*taken == expected);

  auto stale = session;
  stale.status_reason = "from the old owner";
  ++stale.version;
  CHECK_FALSE(update_session(c, stale));
  CHECK(find_session(c, session.id) == expected);

  auto next = *taken;
  ++next.version;
  CHECK(update_session(c, next));
  SECTION("nor write another state with the same version") {
    auto other = next;
    other.status_reason = "something else";
    CHECK_FALSE(update_session(c, other));
  }
  SECTION("but write the same again, which changes nothing") {
    CHECK(update_session(c, next));
  }
  SECTION("nor leave a version out") {
    next.version += 2;
    CHECK_FALSE(update_session(c, next));
  }
  SECTION("nor write with an epoch that nobody gave") {
    ++next.version;
    ++next.epoch;
    CHECK_FALSE(update_session(c, next));
  }
  CHECK(find_session(c, session.id)->version == 2);
}

TEST_CASE_METHOD(store_fixture, "a node that was renamed owns what it had") {
  auto session = some_session("a");
  REQUIRE(insert_session(c, session, 5) == insert_result::ok);
  own_all_sessions(c, "renamed");
  auto taken = take_live_sessions(c, "renamed");
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].id == session.id);
  CHECK(taken[0].epoch == session.epoch + 1);
}

TEST_CASE_METHOD(store_fixture, "a session that is over can be taken too") {
  auto session = end(insert(some_session("a")));
  auto taken = take_session(c, session.id, "here");
  REQUIRE(taken);
  CHECK(taken->epoch == 2);
  CHECK(taken->status == session_status::ended);
  CHECK_FALSE(take_session(c, make_id(), "here"));
}

TEST_CASE_METHOD(store_fixture, "a node takes the sessions that live on it") {
  auto newer = some_session("a");
  newer.created_at = 5'000;
  newer.status = session_status::active;
  insert(newer);
  auto older = insert(some_session("b"));
  auto elsewhere = some_session("c");
  elsewhere.node = "there";
  insert(elsewhere);
  auto over = end(insert(some_session("d")));

  ++newer.epoch;
  ++older.epoch;
  CHECK(take_live_sessions(c, "here")
        == std::vector<session_record>{older, newer});
  CHECK(find_session(c, older.id) == older);
  CHECK(find_session(c, over.id) == over);
  CHECK(find_session(c, elsewhere.id) == elsewhere);
  CHECK(take_live_sessions(c, "nowhere").empty());
}

TEST_CASE_METHOD(store_fixture, "live sessions are those that hold something") {
  put_project(c, some_project("other"));
  auto first = insert(some_session("a"));
  auto second = some_session("b");
  second.created_at = 5'000;
  insert(second);
  end(insert(some_session("c")));
  insert(some_session("d", "other"));
  CHECK(live_sessions(c, "demo") == std::vector<session_record>{second, first});
}

TEST_CASE_METHOD(store_fixture, "text with NUL is refused by its field") {
  const std::string bad{"a\0b", 3};
  auto session = some_session("a");
  SECTION("in a column") {
    session.feature_slug = bad;
    auto what = refusal_of([&] { insert_session(c, session, 9); });
    CHECK(what
          == refusal{errc::bad_request,
                     "feature_slug must not hold a NUL character"});
  }
  SECTION("in a label's name or value") {
    session.labels = {{"x", bad}};
    auto what = refusal_of([&] { insert_session(c, session, 9); });
    CHECK_THAT(what.message, Contains("labels"));
    session.labels = {{bad, "x"}};
    what = refusal_of([&] { insert_session(c, session, 9); });
    CHECK_THAT(what.message, Contains("labels"));
  }
  SECTION("in an update") {
    insert(session);
    session.status_reason = bad;
    ++session.version;
    auto what = refusal_of([&] { update_session(c, session); });
    CHECK_THAT(what.message, Contains("status_reason"));
  }
  SECTION("in a node's name") {
    CHECK_THAT(refusal_of([&] { take_live_sessions(c, bad); }).message,
               Contains("node"));
  }
}

TEST_CASE_METHOD(store_fixture, "a key has made so many that live, over all "
                                "projects") {
  put_project(c, some_project("other"));
  auto first = insert(some_session("a"));
  auto second = insert(some_session("a", "other"));
  auto third = some_session("b");
  CHECK(insert_session(c, third, 100, 2) == insert_result::key_full);
  auto held = live_of_key(c, "admin");
  CHECK(std::set<std::string>(held.begin(), held.end())
        == std::set<std::string>{first.id, second.id});
  // What the project lacks is said before.
  CHECK(insert_session(c, some_session("a"), 100, 2)
        == insert_result::branch_taken);
  CHECK(insert_session(c, third, 1, 2) == insert_result::no_slot);
  auto of_other = some_session("c");
  of_other.created_by = "k";
  CHECK(insert_session(c, of_other, 100, 2) == insert_result::ok);
  end(first);
  CHECK(insert_session(c, third, 100, 2) == insert_result::ok);
}
