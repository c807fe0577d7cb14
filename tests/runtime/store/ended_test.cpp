// What has ended, for who bounds what that keeps. Names of messages and of the
// store's functions meet here, so that neither namespace is used as a whole.
#include "messages/ids.hpp"
#include "messages/upkeep.hpp"
#include "runtime/store/reviews.hpp"
#include "runtime/store/sessions.hpp"
#include "tests/runtime/store/fixture.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using greenroom::test::some_session;
using greenroom::test::store_fixture;

TEST_CASE_METHOD(store_fixture, "what has ended is listed in that order, "
                                "sessions and reviews, page by page") {
  using ids = std::vector<std::string>;
  auto first = insert(some_session("a"));
  first.ended_at = 1'000;
  end(first);
  auto second = insert(some_session("b"));
  second.ended_at = 3'000;
  end(second);
  insert(some_session("live"));
  greenroom::review_record judged;
  judged.id = greenroom::make_id();
  judged.project_id = "demo";
  judged.session_id = first.id;
  judged.status = greenroom::review_status::merged;
  judged.ended_at = 2'000;
  greenroom::store::put_review(c, judged);
  auto waiting = judged;
  waiting.id = greenroom::make_id();
  waiting.status = greenroom::review_status::queued;
  waiting.ended_at = 0;
  greenroom::store::put_review(c, waiting);

  auto listed = [&](const greenroom::list_ended& what) {
    ids result;
    for (auto& one : greenroom::store::list_ended(c, what))
      result.push_back(one.id);
    return result;
  };
  CHECK(listed({}) == ids{first.id, judged.id, second.id});
  CHECK(listed({0, "", 2}) == ids{first.id, judged.id});
  CHECK(listed({2'000, judged.id, 2}) == ids{second.id});
  CHECK(listed({2'000, "", 2}) == ids{judged.id, second.id});
  CHECK(listed({3'000, second.id, 2}).empty());
  auto all = greenroom::store::list_ended(c, {});
  REQUIRE(all.size() == 3);
  CHECK(all[1].project_id == "demo");
  CHECK(all[1].ended_at == 2'000);
  CHECK(all[1].is_review);
  CHECK_FALSE(all[2].is_review);
}
