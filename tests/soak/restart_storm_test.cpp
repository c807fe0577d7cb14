// The node is killed and started again as fast as it comes up, while clients
// work: what they were told holds, and nothing is left.
//
// GREENROOM_SOAK_SEED=N repeats the clients' choices.
#include "tests/api/demo.hpp"
#include "tests/soak/left_behind.hpp"
#include "tests/soak/size.hpp"

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace greenroom::test;
using timer = std::chrono::steady_clock;

namespace {

/// A session, as far as its client was told.
struct told {
  std::string id;
  std::string branch;
  std::string ending; // the status in which it must be: "", or by what it ended
  std::string expires_at;
  std::vector<std::string> execs;
};

/// Works through the node's deaths: asks again until it is answered, and keeps
/// what the answers say.
class stubborn_client {
public:
  stubborn_client(int number, const std::string& key,
                  const std::atomic<std::uint16_t>& port, std::uint64_t seed)
    : number_(number), key_(key), port_(port), random_(seed),
      thread_([this] { work(); }) {}
  stubborn_client(const stubborn_client&) = delete;
  stubborn_client& operator=(const stubborn_client&) = delete;
  ~stubborn_client() {
    stop();
  }

  /// What has been begun is brought to its end.
  void stop() {
    stopped_ = true;
    if (thread_.joinable())
      thread_.join();
  }

  std::vector<told> all;
  std::vector<std::string> problems;

private:
  using question = std::function<http_reply(const http_client&)>;

  /// The first answer that is no excuse. 503, 504 and a lost connection say
  /// nothing of what has happened, as a request that is being served does not.
  http_reply ask(const std::string& what, const question& send) {
    auto deadline = timer::now() + std::chrono::minutes{2};
    http_reply last;
    do {
      try {
        last = send({port_, key_});
        auto again = last.status == 503 || last.status == 504
                     || last.message().find("is being served right now")
                          != std::string::npos;
        if (!again)
          return last;
      } catch (const std::exception&) {
        last = {};
      }
      ::poll(nullptr, 0, 5);
    } while (timer::now() < deadline);
    problems.push_back(what + " has no answer: " + to_string(last));
    return last;
  }

  void expect_status(const std::string& what, const http_reply& reply,
                     std::initializer_list<int> statuses) {
    if (std::ranges::find(statuses, reply.status) == statuses.end())
      problems.push_back(what + ": " + to_string(reply));
  }

  http_reply post(const std::string& path, const json& body,
                  const std::string& once = {}) {
    return ask("POST " + path, [&](const http_client& http) {
      header_list headers;
      if (!once.empty())
        headers.emplace_back("Idempotency-Key", once);
      return http.send("POST", path, body.dump(), "application/json", headers);
    });
  }

  void work() {
    while (!stopped_) {
      auto branch =
        "c" + std::to_string(number_) + '-' + std::to_string(all.size());
      auto made = post(sessions, {{"new_branch", branch}}, "create-" + branch);
      expect_status("create", made, {201});
      if (made.status != 201)
        return;
      all.push_back(
        {made.data()["id"], branch, "", made.data()["expires_at"], {}});
      use(all.back());
    }
  }

  void use(told& session) {
    auto path = sessions + '/' + session.id;
    for (int i = 0; i < 3; ++i) {
      auto id = "e" + std::to_string(i);
      // Done twice it would be seen.
      auto reply =
        post(path + "/exec", {{"exec_id", id},
                              {"command", "echo begin; echo " + id + " >> " + id
                                            + "; sleep 0.05; echo end"}});
      expect_status("exec", reply, {202});
      session.execs.push_back(id);
    }
    auto extended = post(path + "/extend", {{"expires_in", "48h"}});
    expect_status("extend", extended, {200});
    if (extended.status == 200)
      session.expires_at = extended.data()["expires_at"];
    switch (random_() % 6) {
      case 0:
        return; // it stays
      case 1:
      case 2:
        return end(session, "terminated",
                   ask("DELETE", [&](const http_client& http) {
                     return http.remove(path);
                   }));
      default:
        return end(session, "ended",
                   post(path + "/checkin", {{"skip_review", true}},
                        "checkin-" + session.branch));
    }
  }

  // An answer that was lost may have been the session's end.
  void end(told& session, const std::string& status, const http_reply& reply) {
    expect_status(status, reply, {200, 400});
    if (reply.status == 400 && reply.message() != "session is not active")
      problems.push_back(status + ": " + to_string(reply));
    session.ending = status;
  }

  const int number_;
  const std::string key_;
  const std::atomic<std::uint16_t>& port_;
  std::mt19937_64 random_;
  std::atomic<bool> stopped_ = false;
  std::thread thread_;
};

void check_execs(const session_user& session, const told& said) {
  for (auto& id : said.execs) {
    INFO(id);
    if (said.ending.empty()) {
      auto exec = session.await_status(id, "exited");
      CHECK(exec["exit_code"] == 0);
      CHECK(exec["stdout_bytes"] == 10);
      continue;
    }
    auto exec = session.exec(id);
    INFO(exec.dump());
    CHECK(exec.contains("ended_at"));
    CHECK(exec["status"] != "running");
    CHECK(exec["status"] != "queued");
    CHECK((exec["status"] != "exited" || exec["exit_code"] == 0));
  }
}

void check_told(const node_process& node, const told& said) {
  INFO("session " << said.id << " of branch " << said.branch);
  session_user session{node, said.id};
  auto shown = session.get();
  CHECK(shown["branch"] == said.branch);
  CHECK(shown["status"] == (said.ending.empty() ? "active" : said.ending));
  CHECK(shown["expires_at"] == said.expires_at);
  check_execs(session, said);
  if (said.ending.empty())
    for (auto& id : said.execs)
      CHECK(session.run("cat " + id)["stdout"] == id + '\n');
  else
    expect(200, node.admin().get(session.path("/execs")));
  // Every exec has been announced once: begun and ended.
  const auto events = session.timeline();
  std::multiset<std::string> ends;
  for (auto& event : events)
    if (event["type"] == "exec.exited")
      ends.insert(event["data"]["exec_id"].get<std::string>());
  for (auto& id : said.execs)
    CHECK(ends.count(id) == 1);
  if (!said.ending.empty()) {
    const auto streamed = session.watch().rest();
    check_ids(streamed);
    CHECK(streamed.back().type == "session.ended");
  }
}

} // namespace

TEST_CASE("a storm of restarts loses nothing that was told, and leaves "
          "nothing") {
  auto* wanted = std::getenv("GREENROOM_SOAK_SEED");
  const auto seed = wanted != nullptr ? std::strtoull(wanted, nullptr, 10)
                                      : std::random_device{}();
  WARN("GREENROOM_SOAK_SEED=" << seed);
  const int restarts = how_many(5, 50);
  node_process node{{.max_active_sessions = 4000}};
  std::atomic<std::uint16_t> port = node.port();
  std::vector<std::unique_ptr<stubborn_client>> clients;
  for (int i = 0; i < 3; ++i)
    clients.push_back(
      std::make_unique<stubborn_client>(i, node.admin_key(), port, seed + i));
  std::mt19937_64 random{seed};
  const auto began = timer::now();
  for (int i = 0; i < restarts; ++i) {
    ::poll(nullptr, 0, static_cast<int>(random() % 1200));
    node.kill9();
    node.start();
    port = node.port();
  }
  const std::chrono::duration<double> took = timer::now() - began;
  for (auto& one : clients)
    one->stop();
  await("the node is ready",
        [&] { return node.admin().get("/readyz").status == 200; });
  std::set<std::string> ids;
  for (auto& one : clients) {
    for (auto& problem : one->problems)
      FAIL_CHECK(problem);
    for (auto& said : one->all) {
      CHECK(ids.insert(said.id).second);
      check_told(node, said);
    }
  }
  WARN(restarts << " restarts in " << took.count() << " s, " << ids.size()
                << " sessions");
  CHECK(ids.size() >= clients.size());
  // One session for each create, however often it was sent.
  const auto listed = expect(200, node.admin().get(sessions)).data();
  CHECK(listed["sessions"].size() == ids.size());

  for (auto& one : clients)
    for (auto& said : one->all)
      if (said.ending.empty())
        expect(200, session_user{node, said.id}.remove());
  left_behind left;
  CHECK(eventually([&] {
    left = left_by_sessions(node);
    return left == left_behind{};
  }));
  INFO(left);
  CHECK(left == left_behind{});
  run_git(node.data_dir() / "repos/demo.git", {"fsck", "--strict"});
  node.git({"fsck", "--strict"});
}
