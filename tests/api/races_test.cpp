// Two who want the same: one gets it, the other is told so.
#include "tests/api/demo.hpp"

#include <algorithm>
#include <future>

using namespace greenroom::test;

namespace {

constexpr int rounds = 20;

std::vector<http_reply> at_once(const node_process& node,
                                const std::vector<json>& bodies) {
  std::vector<std::future<http_reply>> asked;
  for (auto& body : bodies)
    asked.push_back(
      std::async(std::launch::async, [client = node.admin(), body] {
        return client.post(sessions, body);
      }));
  std::vector<http_reply> result;
  for (auto& one : asked)
    result.push_back(one.get());
  std::ranges::sort(result, {}, &http_reply::status);
  return result;
}

} // namespace

TEST_CASE("of two creates for one branch exactly one succeeds") {
  node_process node;
  for (int round = 0; round < rounds; ++round) {
    json body{{"new_branch", "b" + std::to_string(round)}};
    auto replies = at_once(node, {body, body});
    INFO(round << ": " << to_string(replies[0]) << ", "
               << to_string(replies[1]));
    REQUIRE(replies[0].status == 201);
    expect_refusal(replies[1], 409, "CHECKOUT_EXISTS",
                   "active checkout already exists for this branch");
  }
}

TEST_CASE("of two creates for the last slot exactly one succeeds") {
  node_options options;
  options.max_active_sessions = 1;
  node_process node{options};
  for (int round = 0; round < rounds; ++round) {
    auto name = "b" + std::to_string(round);
    auto replies = at_once(
      node, {{{"new_branch", name + "-one"}}, {{"new_branch", name + "-two"}}});
    INFO(round << ": " << to_string(replies[0]) << ", "
               << to_string(replies[1]));
    REQUIRE(replies[0].status == 201);
    expect_refusal(replies[1], 409, "SESSION_EXISTS",
                   "active session already exists for this project");
    session_user made{node, replies[0].data()["id"].get<std::string>()};
    expect(200, made.remove());
  }
}

TEST_CASE("of two check-ins of one session exactly one succeeds") {
  node_process node;
  for (int round = 0; round < 5; ++round) {
    session_user session{node,
                         json{{"new_branch", "b" + std::to_string(round)}}};
    session.run("echo x > x");
    auto other = std::async(std::launch::async, [&] {
      return node.admin().post(session.path("/checkin"), json::object());
    });
    std::vector<int> statuses{session.checkin().status, other.get().status};
    std::ranges::sort(statuses);
    CHECK(statuses == std::vector{200, 400});
    CHECK(session.status() == "ended");
  }
}
