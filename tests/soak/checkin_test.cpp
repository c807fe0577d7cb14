// The node dies at a random moment of a check-in, and the client asks again
// under the same Idempotency-Key: one effect, and nothing is lost.
#include "tests/api/demo.hpp"
#include "tests/soak/size.hpp"

#include <poll.h>

#include <chrono>
#include <future>
#include <random>

using namespace greenroom::test;

TEST_CASE("a check-in survives random deaths of the node") {
  const int rounds = how_many(6, 50);
  node_process node;
  std::mt19937 random{4};
  // As long as a check-in takes here, so that each of its steps may be hit.
  session_user measured{node, json{{"new_branch", "measured"}}};
  measured.run("echo work > work.txt");
  auto began = std::chrono::steady_clock::now();
  expect(200, measured.checkin({{"skip_review", true}}));
  auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(
    std::chrono::steady_clock::now() - began);
  std::uniform_int_distribution<int> pause{
    0, static_cast<int>(whole.count() * 5 / 4)};
  for (int round = 0; round < rounds; ++round) {
    auto branch = "round" + std::to_string(round);
    auto merges = round % 2 == 0;
    INFO(branch << (merges ? ", merged" : ""));
    const std::string body = merges
                               ? R"({"skip_review": true, "auto_merge": true})"
                               : R"({"skip_review": true})";
    session_user session{node, json{{"new_branch", branch}}};
    session.run("echo work of " + branch + " > " + branch + ".txt");
    const header_list headers{{"Idempotency-Key", "checkin-" + branch}};
    auto check_in = [&, client = node.admin()] {
      return client.send("POST", session.path("/checkin"), body,
                         "application/json", headers);
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
      last = node.admin().send("POST", session.path("/checkin"), body,
                               "application/json", headers);
      return last.status == 200;
    });
    auto commit = last.data()["commit"].get<std::string>();
    if (answered.status == 200)
      CHECK(answered.data()["commit"] == commit);
    CHECK(node.git({"rev-parse", branch}) == commit);
    CHECK(node.git({"show", commit + ":" + branch + ".txt"})
          == "work of " + branch);
    CHECK(last.data()["merge"]["status"]
          == (merges ? "merged" : "not_requested"));
    // Protected, main moves by what the check-in asked for and nothing else.
    CHECK(node.git({"merge-base", commit, "main"})
          == (merges ? commit : node.git({"merge-base", branch, "main"})));
    CHECK(session.status() == "ended");
    CHECK(session.timeline("types=session.ended").size() == 1);
    // What a death left there goes after the next start.
    CHECK(
      eventually([&] { return !std::filesystem::exists(session.checkout()); }));
  }
  run_git(node.data_dir() / "repos" / "demo.git", {"fsck", "--strict"});
  node.git({"fsck", "--strict"});
}
