// The node dies at a random moment of a check-in, and the client asks again
// under the same Idempotency-Key: one effect, and nothing is lost.
#include "tests/api/demo.hpp"
#include "tests/soak/size.hpp"

#include <poll.h>

#include <future>
#include <random>

using namespace greenroom::test;

TEST_CASE("a check-in survives random deaths of the node") {
  const int rounds = how_many(4, 50);
  node_process node;
  std::mt19937 random{4};
  std::uniform_int_distribution<int> pause{0, 120};
  for (int round = 0; round < rounds; ++round) {
    auto branch = "round" + std::to_string(round);
    INFO(branch);
    session_user session{node, json{{"new_branch", branch}}};
    session.run("echo work of " + branch + " > work.txt");
    const header_list headers{{"Idempotency-Key", "checkin-" + branch}};
    auto check_in = [&, client = node.admin()] {
      return client.send("POST", session.path("/checkin"),
                         R"({"skip_review": true})", "application/json",
                         headers);
    };
    auto first = std::async(std::launch::async, [&] {
      try {
        return check_in();
      } catch (const std::runtime_error&) {
        return http_reply{};
      }
    });
    ::poll(nullptr, 0, pause(random));
    node.kill9();
    auto answered = first.get();
    node.start();
    http_reply last;
    await("the check-in of " + branch, [&] {
      last = node.admin().send("POST", session.path("/checkin"),
                               R"({"skip_review": true})", "application/json",
                               headers);
      return last.status == 200;
    });
    auto commit = last.data()["commit"].get<std::string>();
    if (answered.status == 200)
      CHECK(answered.data()["commit"] == commit);
    CHECK(node.git({"rev-parse", branch}) == commit);
    CHECK(node.git({"show", commit + ":work.txt"}) == "work of " + branch);
    CHECK(session.status() == "ended");
    CHECK(session.timeline("types=session.ended").size() == 1);
    CHECK(!std::filesystem::exists(session.checkout()));
  }
  run_git(node.data_dir() / "repos" / "demo.git", {"fsck", "--strict"});
  node.git({"fsck", "--strict"});
}
