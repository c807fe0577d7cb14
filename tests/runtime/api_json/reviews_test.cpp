#include "runtime/api_json/reviews.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace greenroom;

TEST_CASE("a review shows what is known of it, and no more") {
  review_record review;
  review.id = "r";
  review.project_id = "demo";
  review.session_id = "s";
  review.branch = "topic";
  review.target = "main";
  review.commit = std::string(40, 'c');
  review.base = std::string(40, 'b');
  review.created_at = 1'000;
  auto queued = review_json(review);
  CHECK(queued["status"] == "queued");
  CHECK(queued["created_at"] == "1970-01-01T00:00:01.000Z");
  CHECK(queued["output"] == "/projects/demo/reviews/r/output");
  for (auto name : {"status_reason", "comment", "merge_commit", "files",
                    "exit_code", "decided_by", "ended_at"})
    CHECK_FALSE(queued.contains(name));

  review.status = review_status::conflict;
  review.files = {"a", "b"};
  review.exit_code = 0;
  review.decided_by = "key";
  review.ended_at = 2'000;
  auto over = review_json(review);
  CHECK(over["status"] == "conflict");
  CHECK(over["files"] == nlohmann::json{"a", "b"});
  CHECK(over["exit_code"] == 0);
  CHECK(over["decided_by"] == "key");
  CHECK(over["ended_at"] == "1970-01-01T00:00:02.000Z");
}
