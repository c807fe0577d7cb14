// Store writer and reader: reviews and idempotent requests, as actors ask.
#include "tests/actors/small_node.hpp"

#include "actors/key_registry.hpp"
#include "messages/ids.hpp"

#include <caf/send.hpp>
#include <catch2/catch.hpp>

#include <functional>
#include <vector>

using namespace greenroom;
using greenroom::test::small_node;

TEST_CASE_METHOD(small_node, "reviews are stored, found and listed") {
  review_record review;
  review.id = make_id();
  review.project_id = "none"; // whose actor would take it up
  review.session_id = make_id();
  review.status = review_status::running;
  ask<done>(context()->store, put_review{review});
  auto& reader = context()->reader;
  CHECK(ask<review_record>(reader, load_review{"none", review.id}) == review);
  CHECK(refused_by<review_record>(reader, load_review{"other", review.id})
        == refusal{errc::not_found, "review not found"});
  auto listed = [&](const std::string& status) {
    return ask<review_page>(reader, query_reviews{"none", {status, 0, ""}})
      .reviews.size();
  };
  CHECK(listed("") == 1);
  CHECK(listed("running") == 1);
  CHECK(listed("merged") == 0);
  CHECK(
    refused_by<review_page>(reader, query_reviews{"none", {"bad", 0, ""}}).code
    == errc::bad_request);
}

TEST_CASE_METHOD(small_node, "a request is begun, finished and found again") {
  begin_request begin{"key", "name", "f", "run", "planned", now_ms()};
  auto& store = context()->store;
  CHECK(ask<begun_request>(store, begin).state == request_state::fresh);
  CHECK(ask<begun_request>(store, begin).state == request_state::busy);
  ask<done>(store, finish_request{"key", "name", 201, "{}", now_ms()});
  restart();
  begin.run = "next";
  auto again = ask<begun_request>(context()->store, begin);
  CHECK(again.state == request_state::done);
  CHECK(again.status == 201);
  CHECK(again.body == "{}");
  CHECK(again.planned_id == "planned");
}

TEST_CASE_METHOD(small_node, "a key with a planned id is made once") {
  key_ring ring{"an-administrators-secret"};
  auto registry = system().spawn(key_registry, context()->store, &ring,
                                 std::vector<key_record>{},
                                 std::function<std::vector<key_record>()>{});
  auto id = make_id();
  create_key request;
  request.key_id = id;
  request.name = "ci";
  request.author = "Ada <ada@example.org>";
  request.scopes = {"admin"};
  auto first = ask<key_created>(registry, request);
  CHECK(first.key.id == id);
  CHECK(first.key.author == "Ada <ada@example.org>");
  REQUIRE_FALSE(first.secret.empty());
  auto second = ask<key_created>(registry, request);
  CHECK(second.key == first.key);
  CHECK(second.secret.empty());
  CHECK(ask<key_list>(registry, list_keys{}).keys.size() == 1);
  auto* found = ring.snapshot()->find(first.secret, now_ms());
  REQUIRE(found != nullptr);
  CHECK(found->id == id);
  caf::anon_send_exit(registry, caf::exit_reason::user_shutdown);
}
