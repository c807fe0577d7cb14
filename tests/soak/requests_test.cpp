// Every request is answered: many creates one after the other, and requests of
// all kinds at once.
//
// GREENROOM_SOAK_SEED=N repeats a mixture.
#include "tests/api/demo.hpp"
#include "tests/soak/size.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace greenroom::test;
using timer = std::chrono::steady_clock;

namespace {

// Far above what any of these takes, far below where clients give up.
const std::chrono::seconds soon{how_many(30, 10)};

std::uint64_t seed() {
  auto* text = std::getenv("GREENROOM_SOAK_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10)
                         : std::random_device{}();
}

void check_that_none_is_overdue(const node_process& node) {
  auto ready = expect(200, node.admin().get("/readyz")).data();
  for (auto& warning : ready.value("warnings", json::array()))
    CHECK(warning.get<std::string>().find("in time") == std::string::npos);
}

// One client, which asks for this and that of a few sessions. What is answered
// depends on what the others do; that it is, and by what kind of answer, not.
class client {
public:
  client(http_client http, std::vector<std::string> ids, std::uint64_t start)
    : http_(std::move(http)), ids_(std::move(ids)), random_(start) {}

  void ask(int count) {
    for (int i = 0; i < count; ++i) {
      auto began = timer::now();
      auto reply = one();
      auto took = timer::now() - began;
      if (took > soon)
        problems.push_back(last_ + " took too long: " + to_string(reply));
      if (reply.status >= 500)
        problems.push_back(last_ + ": " + to_string(reply));
      if (reply.status < 300)
        ++done;
    }
  }

  std::vector<std::string> problems;
  int done = 0;

private:
  std::size_t below(std::size_t limit) {
    return random_() % limit;
  }

  std::string path(const std::string& more) {
    return sessions + '/' + ids_[below(ids_.size())] + more;
  }

  http_reply post(const std::string& more, const json& body) {
    last_ = "POST " + more + ' ' + body.dump();
    return http_.post(path(more), body);
  }

  http_reply feed(const std::string& more, const std::string& bytes) {
    last_ = "POST " + more;
    return http_.send("POST", path(more), bytes, "application/octet-stream");
  }

  http_reply remove(const std::string& more) {
    last_ = "DELETE " + more;
    return http_.remove(path(more));
  }

  http_reply get(const std::string& more) {
    last_ = "GET " + more;
    return http_.get(path(more));
  }

  http_reply one() {
    auto exec = "/execs/e" + std::to_string(below(40));
    switch (below(14)) {
      case 0:
        return post("/extend", {{"expires_in", "2h"}});
      case 1:
        return post("/clone-token", json::object());
      case 2:
        return remove(exec);
      case 3:
        return post(exec + "/signal", {{"signal", "INT"}});
      case 4:
        return feed(exec + "/stdin", "x\n");
      case 5:
        return get(exec);
      case 6:
        return get("/execs");
      case 7:
        return get("/git");
      case 8:
        return get("");
      case 9:
        // Rarely, so that there is something left to ask.
        if (below(20) == 0)
          return post("/checkin", {{"skip_review", true}});
        return get("/timeline");
      default: {
        json body{{"command", below(3) == 0 ? "cat" : "echo x"},
                  {"exec_id", exec.substr(exec.rfind('/') + 1)},
                  {"timeout", "2s"}};
        if (below(2) == 0)
          body["stdin"] = "open";
        if (below(2) == 0)
          body["wait"] = "3s";
        return post("/exec", body);
      }
    }
  }

  http_client http_;
  std::vector<std::string> ids_;
  std::mt19937_64 random_;
  std::string last_;
};

} // namespace

TEST_CASE("each of many creates, one after the other, is answered soon") {
  const int count = how_many(100, 1'500);
  node_process node{{.max_active_sessions = 4'000}};
  std::chrono::milliseconds longest{};
  for (int i = 0; i < count; ++i) {
    auto began = timer::now();
    auto reply =
      node.admin().post(sessions, {{"new_branch", "b" + std::to_string(i)}});
    auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      timer::now() - began);
    INFO("create " << i << " of " << count);
    expect(201, reply);
    REQUIRE(took < soon);
    longest = std::max(longest, took);
  }
  WARN(count << " creates, the longest took " << longest.count() << " ms");
  check_that_none_is_overdue(node);
}

TEST_CASE("requests of all kinds at once are each answered soon") {
  const auto start = seed();
  INFO("GREENROOM_SOAK_SEED=" << start);
  const int rounds = how_many(1, 10);
  constexpr int clients = 6;
  node_process node;
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::string> ids;
    for (int i = 0; i < 3; ++i)
      ids.push_back(
        expect(201, node.admin().post(
                      sessions, {{"new_branch", "r" + std::to_string(round)
                                                  + '-' + std::to_string(i)}}))
          .data()["id"]
          .get<std::string>());
    std::vector<client> all;
    for (int i = 0; i < clients; ++i)
      all.emplace_back(node.admin(), ids,
                       start + static_cast<std::uint64_t>(clients * round + i));
    std::vector<std::thread> threads;
    for (auto& one : all)
      threads.emplace_back([&one] { one.ask(how_many(60, 150)); });
    for (auto& thread : threads)
      thread.join();
    int done = 0;
    for (auto& one : all) {
      done += one.done;
      for (auto& problem : one.problems)
        FAIL_CHECK(problem);
    }
    CHECK(done > clients * 10);
    for (auto& id : ids)
      CHECK(node.admin().remove(sessions + '/' + id).status < 500);
  }
  check_that_none_is_overdue(node);
}
