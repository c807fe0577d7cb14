// Many clients want one branch at the same moment: one has it, each time.
#include "tests/api/demo.hpp"
#include "tests/soak/size.hpp"

#include <algorithm>
#include <barrier>
#include <string>
#include <thread>
#include <vector>

using namespace greenroom::test;

namespace {

/// Clients that all send at the same moment, again and again.
class racers {
public:
  racers(const node_process& node, int count)
    : start_(count + 1), finish_(count + 1), bodies_(count), replies_(count) {
    for (int i = 0; i < count; ++i)
      threads_.emplace_back(
        [this, i, client = node.admin()] { run(client, i); });
  }
  racers(const racers&) = delete;
  racers& operator=(const racers&) = delete;
  ~racers() {
    stopped_ = true;
    start_.arrive_and_wait();
    for (auto& thread : threads_)
      thread.join();
  }

  /// One create each; the answers, those of success first.
  std::vector<http_reply> race(std::vector<json> bodies) {
    bodies_ = std::move(bodies);
    start_.arrive_and_wait();
    finish_.arrive_and_wait();
    auto result = replies_;
    std::ranges::sort(result, {}, &http_reply::status);
    return result;
  }

private:
  void run(const http_client& client, int i) {
    for (;;) {
      start_.arrive_and_wait();
      if (stopped_)
        return;
      try {
        replies_[i] = client.post(sessions, bodies_[i]);
      } catch (const std::exception&) {
        replies_[i] = {}; // no answer: the test sees it
      }
      finish_.arrive_and_wait();
    }
  }

  std::barrier<> start_;
  std::barrier<> finish_;
  bool stopped_ = false; // with the barriers, as what follows
  std::vector<json> bodies_;
  std::vector<http_reply> replies_;
  std::vector<std::thread> threads_;
};

/// The ways of wanting the same: a new branch, one that is there, two that git
/// cannot keep side by side, and all of that under different names of it.
std::vector<json> bodies_of(int round, int clients) {
  std::vector<json> result;
  auto name = "b" + std::to_string(round);
  for (int i = 0; i < clients; ++i)
    switch (round % 4) {
      case 0:
        result.push_back({{"new_branch", name}});
        break;
      case 1:
        result.push_back({{"branch", "topic"}});
        break;
      case 2:
        result.push_back({{"new_branch", i % 2 == 0 ? name : name + "/below"}});
        break;
      default:
        result.push_back({{"new_branch", name},
                          {"from_ref", i % 2 == 0 ? "topic" : "refs/tags/v1"},
                          {"labels", {{"client", std::to_string(i)}}}});
    }
  return result;
}

} // namespace

TEST_CASE("of all who want one branch at once exactly one has it, each time") {
  const int rounds = how_many(50, 1000);
  const int clients = how_many(4, 8);
  node_process node;
  racers all{node, clients};
  for (int round = 0; round < rounds; ++round) {
    INFO("round " << round);
    const auto bodies = bodies_of(round, clients);
    const auto replies = all.race(bodies);
    INFO(to_string(replies[0]) << ", " << to_string(replies[1]));
    REQUIRE(replies[0].status == 201);
    for (std::size_t i = 1; i < replies.size(); ++i)
      expect_refusal(replies[i], 409, "CHECKOUT_EXISTS",
                     "active checkout already exists for this branch");
    session_user winner{node, replies[0].data()["id"].get<std::string>()};
    // It is what its own client asked for.
    auto shown = winner.get();
    CHECK(std::ranges::any_of(bodies, [&](const json& body) {
      return body.value("new_branch", body.value("branch", ""))
               == shown["branch"]
             && body.value("labels", json::object()) == shown["labels"];
    }));
    const auto listed =
      expect(200, node.admin().get(sessions + "?status=active")).data();
    REQUIRE(listed["sessions"].size() == 1);
    expect(200, winner.remove());
  }
  const auto listed = expect(200, node.admin().get(sessions)).data();
  CHECK(listed["sessions"].size() == static_cast<std::size_t>(rounds));
}
