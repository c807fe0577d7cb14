// Store writer and reader: reviews and idempotent requests, as actors ask.
#include "tests/actors/small_node.hpp"

#include "actors/key_registry.hpp"
#include "messages/edge.hpp"
#include "messages/ids.hpp"
#include "messages/links.hpp"
#include "runtime/auth/api_keys.hpp"
#include "tests/support/eventually.hpp"

#include <caf/send.hpp>
#include <catch2/catch.hpp>

#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <utility>
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

namespace {

/// What edges are told of keys.
struct told_edges {
  static edge_actor::behavior_type behavior(edge_actor::pointer,
                                            told_edges* to) {
    return {[to](const key_revoked& x) {
      std::lock_guard guard{to->mutex};
      to->ids.push_back(x.key_id);
    }};
  }
  std::vector<std::string> all() {
    std::lock_guard guard{mutex};
    return ids;
  }

  std::mutex mutex;
  std::vector<std::string> ids;
};

} // namespace

TEST_CASE_METHOD(small_node, "a list of keys that is older than a change of "
                             "theirs takes nothing back") {
  key_ring ring{"an-administrators-secret"};
  auto other = make_key("other", {"admin"}, {}, 0).record;
  ask<done>(context()->store, put_key{other});
  std::mutex mutex;
  std::vector<key_record> stored{other};
  std::promise<void> asked;
  std::promise<void> gate;
  auto opened = gate.get_future().share();
  auto first = true;
  auto read = [&] {
    std::unique_lock guard{mutex};
    auto list = stored;
    auto waits = std::exchange(first, false);
    guard.unlock();
    if (waits) {
      asked.set_value();
      opened.wait();
    }
    return list;
  };
  auto registry = system().spawn(
    key_registry, context()->store, &ring, std::vector<key_record>{other},
    std::function<std::vector<key_record>()>{read});
  told_edges told;
  auto edge = system().spawn(told_edges::behavior, &told);
  caf::anon_send(registry, join_edge{edge});
  caf::anon_send(registry, share_keys{});
  asked.get_future().wait();
  create_key request;
  request.name = "ci";
  request.scopes = {"admin"};
  auto made = ask<key_created>(registry, request);
  {
    std::lock_guard guard{mutex};
    stored.push_back(made.key);
  }
  gate.set_value();
  ask<done>(registry, share_keys{});
  CHECK(ring.snapshot()->find(made.secret, now_ms()) != nullptr);
  ask<done>(registry, revoke_key{other.id, {}});
  CHECK(test::eventually([&] { return !told.all().empty(); }));
  CHECK(told.all() == std::vector{other.id});
  caf::anon_send_exit(edge, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(registry, caf::exit_reason::user_shutdown);
}
