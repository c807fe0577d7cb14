#include "runtime/api_json/reviews.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <string>

using namespace greenroom;

namespace {

std::string nameless(const std::string&) {
  return {};
}

} // namespace

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
  auto queued = review_json(review, nameless);
  CHECK(queued["status"] == "queued");
  CHECK(queued["created_at"] == "1970-01-01T00:00:01.000Z");
  CHECK(queued["output"] == "/projects/demo/reviews/r/output");
  for (auto name :
       {"status_reason", "comment", "merge_commit", "files", "exit_code",
        "decided_by", "decided_by_name", "created_by_name", "ended_at"})
    CHECK_FALSE(queued.contains(name));

  review.status = review_status::conflict;
  review.files = {"a", "b"};
  review.exit_code = 0;
  review.decided_by = "key";
  review.ended_at = 2'000;
  auto over = review_json(review, nameless);
  CHECK(over["status"] == "conflict");
  CHECK(over["files"] == nlohmann::json{"a", "b"});
  CHECK(over["exit_code"] == 0);
  CHECK(over["decided_by"] == "key");
  CHECK(over["ended_at"] == "1970-01-01T00:00:02.000Z");
}

TEST_CASE("a review names its keys, and who decided also without them") {
  review_record review;
  review.created_by = "k1";
  review.by_name = "Ada";
  // Nobody has decided yet: the name that it keeps is of who made it.
  auto shown = review_json(review, nameless);
  CHECK(shown["created_by"] == "k1");
  CHECK(shown["created_by_name"] == "Ada");

  review.by_name = review.created_by; // by its session's expiry
  CHECK_FALSE(review_json(review, nameless).contains("created_by_name"));

  review.decided_by = "k2";
  review.by_name = "Bob";
  shown = review_json(review, nameless);
  CHECK_FALSE(shown.contains("created_by_name"));
  CHECK(shown["decided_by"] == "k2");
  CHECK(shown["decided_by_name"] == "Bob");
  auto there = [](const std::string& id) {
    return id == "k1" ? std::string{"Ada"} : std::string{};
  };
  shown = review_json(review, there);
  CHECK(shown["created_by_name"] == "Ada");
  CHECK(shown["decided_by_name"] == "Bob");
  review.created_by = "k2";
  CHECK(review_json(review, nameless)["created_by_name"] == "Bob");

  // It is to be judged anew, and may keep the name of who decided before.
  review.created_by = "k1";
  review.decided_by.clear();
  review.attempt = 2;
  CHECK_FALSE(review_json(review, nameless).contains("created_by_name"));
}
