#include "tests/runtime/store/fixture.hpp"

#include "runtime/store/reviews.hpp"
#include "runtime/store/sql.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace greenroom;
using namespace greenroom::store;
using namespace greenroom::test;
using Catch::Contains;

namespace {

review_record some_review(std::string project = "demo") {
  review_record review;
  review.id = make_id();
  review.project_id = std::move(project);
  review.session_id = make_id();
  review.created_at = 1'000;
  return review;
}

// Every field has a value that none other has.
review_record full_review() {
  auto review = some_review();
  review.branch = "feature/x";
  review.target = "main";
  review.commit = std::string(40, 'a');
  review.base = std::string(40, 'b');
  review.status = review_status::conflict;
  review.status_reason = "because \"of\" it's ünïcode";
  review.auto_merge = true;
  review.skipped = true;
  review.created_by = "k1";
  review.decided_by = "k2";
  review.comment = "line\nline";
  review.merge_commit = std::string(40, 'c');
  review.files = {"a", "b \"c\"\n"};
  review.exit_code = -7;
  review.attempt = 4'000'000'000;
  review.created_at = 1'795'392'707'123;
  review.ended_at = 1'795'392'807'123;
  return review;
}

using ids = std::vector<std::string>;

ids ids_of(const review_list& list) {
  ids result;
  for (const auto& review : list.reviews)
    result.push_back(review.id);
  return result;
}

} // namespace

TEST_CASE_METHOD(store_fixture, "a review comes back as it was put in") {
  auto review = full_review();
  put_review(c, review);
  CHECK(find_review(c, "demo", review.id) == review);
  CHECK(find_review(c, "demo", make_id()) == std::nullopt);
}

TEST_CASE_METHOD(store_fixture, "a review of another project is not found") {
  auto review = full_review();
  put_review(c, review);
  CHECK(find_review(c, "other", review.id) == std::nullopt);
}

TEST_CASE_METHOD(store_fixture, "a review that is put in again replaces") {
  auto review = some_review();
  put_review(c, review);
  auto next = full_review();
  next.id = review.id;
  put_review(c, next);
  CHECK(find_review(c, "demo", review.id) == next);
  CHECK(list_reviews(c, {"demo"}).reviews.size() == 1);
}

TEST_CASE_METHOD(store_fixture,
                 "paths that are no UTF-8 do not hurt a review") {
  auto review = some_review();
  review.files = {"caf\xe9", "ok"};
  put_review(c, review);
  CHECK(find_review(c, "demo", review.id)->files
        == ids{"caf\xef\xbf\xbd", "ok"});
}

TEST_CASE_METHOD(store_fixture, "a review with NUL is refused by its field") {
  auto review = some_review();
  review.comment = std::string("a\0b", 3);
  CHECK(refusal_of([&] { put_review(c, review); })
        == refusal{errc::bad_request, "comment must not hold a NUL character"});
}

TEST_CASE_METHOD(store_fixture, "reviews are listed newest first, page by "
                                "page") {
  std::vector<review_record> all;
  for (int i = 0; i < 7; ++i) {
    auto review = some_review();
    review.created_at = 1'000 + i / 2;
    review.status = i % 3 == 0 ? review_status::merged : review_status::queued;
    put_review(c, review);
    all.push_back(review);
  }
  put_review(c, some_review("other"));
  std::ranges::sort(all, std::greater<>{}, [](const review_record& r) {
    return std::pair{r.created_at, r.id};
  });
  ids expected;
  for (auto& review : all)
    expected.push_back(review.id);
  CHECK(ids_of(list_reviews(c, {"demo"})) == expected);

  SECTION("in pages without a gap") {
    auto size = GENERATE(1u, 3u, 6u, 7u, 8u);
    review_query query{"demo"};
    query.limit = size;
    ids found;
    for (;;) {
      auto page = list_reviews(c, query);
      REQUIRE(page.reviews.size() <= size);
      for (auto& id : ids_of(page))
        found.push_back(std::move(id));
      if (page.next_cursor.empty())
        break;
      query.cursor = page.next_cursor;
    }
    CHECK(found == expected);
  }
  SECTION("of one status") {
    review_query query{"demo"};
    query.status = review_status::merged;
    CHECK(list_reviews(c, query).reviews.size() == 3);
    query.limit = 2;
    query.cursor = list_reviews(c, query).next_cursor;
    CHECK(list_reviews(c, query).reviews.size() == 1);
  }
  SECTION("with cursors of this server only") {
    review_query query{"demo"};
    query.cursor = "x";
    CHECK(refusal_of([&] { list_reviews(c, query); }).code
          == errc::bad_request);
  }
}

TEST_CASE_METHOD(store_fixture,
                 "sessions that are named are dropped where they "
                 "ended, with their reviews") {
  auto ended = [&](const std::string& branch) {
    auto session = insert(some_session(branch));
    session.ended_at = 1'000;
    return end(session);
  };
  auto over = ended("a");
  auto reviewed = ended("b");
  auto other = ended("c");
  auto live = insert(some_session("d"));
  auto waiting = some_review();
  waiting.session_id = reviewed.id;
  waiting.status = review_status::queued;
  put_review(c, waiting);
  auto judged = some_review();
  judged.session_id = over.id;
  judged.status = review_status::merged;
  put_review(c, judged);
  const ids named{over.id, reviewed.id, live.id, "none"};
  CHECK(store::drop_sessions(c, named, "elsewhere").sessions.empty());
  auto gone = store::drop_sessions(c, named, over.node);
  CHECK(gone.sessions == ids{over.id});
  CHECK(gone.reviews == ids{judged.id});
  CHECK_FALSE(find_session(c, over.id));
  for (auto* one : {&reviewed, &other, &live})
    CHECK(find_session(c, one->id));
}

TEST_CASE_METHOD(store_fixture, "sessions that ended long ago are dropped with "
                                "their reviews") {
  auto ended = [&](const std::string& branch, unix_ms at) {
    auto session = insert(some_session(branch));
    session.ended_at = at;
    return end(session);
  };
  auto oldest = ended("a", 1'000);
  auto old = ended("b", 2'000);
  auto young = ended("c", 5'000);
  auto waiting = ended("d", 1'500);
  auto live = insert(some_session("e"));
  auto review_of = [&](const session_record& session, review_status status) {
    auto review = some_review();
    review.session_id = session.id;
    review.status = status;
    put_review(c, review);
    return review.id;
  };
  auto merged = review_of(oldest, review_status::merged);
  auto kept = review_of(young, review_status::merged);
  auto queued = review_of(waiting, review_status::queued);

  CHECK(drop_ended(c, 1'000, 10).sessions.empty());
  auto first = drop_ended(c, 3'000, 1);
  CHECK(first.sessions == ids{oldest.id});
  CHECK(first.reviews == ids{merged});
  CHECK(drop_ended(c, 3'000, 10).sessions == ids{old.id});
  CHECK(drop_ended(c, 3'000, 10).sessions.empty());
  CHECK_FALSE(find_session(c, oldest.id));
  CHECK_FALSE(find_session(c, old.id));
  CHECK(find_session(c, young.id));
  CHECK(find_session(c, live.id));
  CHECK_FALSE(find_review(c, "demo", merged));
  CHECK(find_review(c, "demo", kept));
  // Until somebody has judged it.
  CHECK(find_session(c, waiting.id));
  CHECK(find_review(c, "demo", queued));
}
