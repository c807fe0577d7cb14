// How a request is marked that goes on to another node.
#include "http/edge/passage.hpp"

#include "http/base/parse.hpp"

#include <catch2/catch.hpp>

using namespace greenroom::http;

TEST_CASE("a request id says by whom it was passed on, and at which epoch") {
  auto id = id_by_way_of("r1", {"node-a", 7});
  CHECK(id == "r1.via-node-a@7");
  CHECK(passage_of_id(id) == passage{"node-a", 7});
  CHECK(passage_of_id("r1") == std::nullopt);
  // A node of an older version says nothing of epochs.
  CHECK(passage_of_id("r1.via-a.b_c") == passage{"a.b_c", 0});
  CHECK(passage_of_id("r1.via-a@x") == passage{"a", 0});
  // The newest mark counts.
  CHECK(passage_of_id("r1.via-a@1.via-b@2") == passage{"b", 2});
}

TEST_CASE("a mark is never lost to the length of an id") {
  const std::string longest(128, 'x');
  auto id = id_by_way_of(longest, {std::string(63, 'n'), UINT64_MAX});
  CHECK(is_sane_request_id(id));
  CHECK(passage_of_id(id) == passage{std::string(63, 'n'), UINT64_MAX});
}

TEST_CASE("whose a request is that is passed on is said whole") {
  const passed_client client{"2001:db8::1", std::string(128, 'x')};
  CHECK(read_passed_client(client_text(client)) == client);
  CHECK(read_passed_client(client_text(passed_client{"::1", {}}))
        == passed_client{"::1", {}});
  CHECK(without_passage(id_by_way_of("r1.via-mine", {"a", 7}))
        == "r1.via-mine");
  CHECK(without_passage("r1") == "r1");
}

TEST_CASE("who is not the owner at that epoch is not the one who is meant") {
  CHECK_FALSE(is_misled({"a", 7}, {"", 7}));
  CHECK_FALSE(is_misled({"a", 0}, {"", 7}));
  CHECK(is_misled({"a", 7}, {"b", 7}));
  CHECK(is_misled({"a", 0}, {"b", 7}));
  CHECK(is_misled({"a", 7}, {"", 8}));
  CHECK(is_misled({"a", 8}, {"", 7}));
  CHECK(moved_sentence({"b", 8})
        == "the session has moved to node b, try again");
}
