// Another process holds the store's lock for some seconds: a backup, a careless
// administrator. Changes are refused and say when to come again, reads and
// commands go on, nothing that was acknowledged is lost, and it heals. The lock
// is that of the file of an embedded store; see postgres_test.cpp for a server
// that is away.
#include "runtime/store/connection.hpp"
#include "runtime/store/sql.hpp"
#include "tests/api/demo.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

using namespace greenroom;
using namespace greenroom::test;
using timer = std::chrono::steady_clock;

namespace {

/// Holds the store as `BEGIN EXCLUSIVE` does, until it goes.
class store_lock {
public:
  explicit store_lock(const node_process& node)
    : db_("sqlite3://greenroom.db", node.data_dir(), sync_mode::normal,
          20'000) {
    db_.self().sql << "BEGIN EXCLUSIVE";
  }
  store_lock(const store_lock&) = delete;
  store_lock& operator=(const store_lock&) = delete;
  ~store_lock() {
    db_.self().sql << "ROLLBACK";
  }

private:
  store::connection db_;
};

// Who waits for the lock gives up after five seconds.
constexpr std::chrono::seconds waits_no_lock{4};

/// Reads, until it is told to stop, all that a client may read, and keeps what
/// was not answered in time.
class reader {
public:
  reader(const node_process& node, std::vector<std::string> paths)
    : client_(node.admin()), paths_(std::move(paths)),
      thread_([this] { read(); }) {}
  reader(const reader&) = delete;
  reader& operator=(const reader&) = delete;
  ~reader() {
    stop();
  }

  void stop() {
    stopped_ = true;
    if (thread_.joinable())
      thread_.join();
  }
  const std::vector<std::string>& problems() const {
    return problems_;
  }
  std::chrono::milliseconds longest() const {
    return longest_;
  }

private:
  void read() {
    for (std::size_t i = 0; !stopped_; ++i) {
      auto& path = paths_[i % paths_.size()];
      auto began = timer::now();
      auto reply = client_.get(path);
      auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
        timer::now() - began);
      longest_ = std::max(longest_, took);
      if (reply.status != 200 || took > waits_no_lock)
        problems_.push_back(path + " after " + std::to_string(took.count())
                            + " ms: " + to_string(reply));
    }
  }

  http_client client_;
  std::vector<std::string> paths_;
  std::vector<std::string> problems_;
  std::chrono::milliseconds longest_{};
  std::atomic<bool> stopped_ = false;
  std::thread thread_;
};

void expect_unavailable(const std::string& what, const http_reply& reply) {
  INFO(what << ": " << to_string(reply));
  CHECK(reply.status == 503);
  CHECK(reply.headers.contains("retry-after"));
  CHECK(reply.all()["error"]["details"]["retryable"] == true);
  CHECK_FALSE(reply.message().empty());
}

using change = std::pair<std::string, std::function<http_reply()>>;

/// Asks for all of them at once: they wait for the same lock.
std::vector<std::pair<std::string, http_reply>>
all_at_once(const std::vector<change>& changes) {
  std::vector<std::future<http_reply>> asked;
  for (auto& [name, ask] : changes)
    asked.push_back(std::async(std::launch::async, ask));
  std::vector<std::pair<std::string, http_reply>> result;
  for (std::size_t i = 0; i < changes.size(); ++i)
    result.emplace_back(changes[i].first, asked[i].get());
  return result;
}

http_reply create(const node_process& node, const std::string& branch) {
  return node.admin().send(
    "POST", sessions, json{{"new_branch", branch}}.dump(), "application/json",
    {{"Idempotency-Key", "create-" + branch}});
}

} // namespace

TEST_CASE("while another process holds the store, changes are refused, reads "
          "and commands go on, and it heals",
          "[one-node]") {
  node_process node;
  auto admin = node.admin();
  session_user session{node, json{{"new_branch", "work"}}};
  session_user ends{node, json{{"new_branch", "ends"}}};
  session.run("mkfifo go");
  session.start("long", "echo before; cat go; echo after");
  auto expires = session.get()["expires_at"];
  auto stream = session.watch();
  auto projects = expect(200, admin.get("/projects")).data();
  std::vector<std::pair<std::string, http_reply>> answers;
  {
    store_lock lock{node};
    reader reads{node,
                 {session.path(), session.path("/execs"),
                  session.path("/execs/long"), session.path("/timeline"),
                  session.path("/git"), "/projects", "/projects/demo", sessions,
                  "/sessions", "/whoami", "/healthz"}};
    answers = all_at_once({
      {"create", [&] { return create(node, "next"); }},
      {"extend",
       [&] {
         return session.post("/extend", {{"expires_in", "48h"}});
       }},
      {"a key",
       [&] {
         return admin.post("/keys",
                           {{"name", "k"}, {"scopes", {"sessions:read"}}});
       }},
      {"a project",
       [&] {
         return admin.patch("/projects/demo", {{"max_active_sessions", 7}});
       }},
      {"a clone token",
       [&] { return session.post("/clone-token", json::object()); }},
    });
    for (auto& [what, reply] : answers)
      expect_unavailable(what, reply);
    // Commands need no row.
    CHECK(session.run("echo middle > go; echo well")["stdout"] == "well\n");
    session.await_status("long", "exited");
    CHECK(expect(200, admin.get(session.path("/execs/long/output"))).body
          == "before\nmiddle\nafter\n");
    await("readyz to tell", [&] {
      auto ready = admin.get("/readyz");
      return ready.status == 503
             && ready.body.find("store") != std::string::npos;
    });
    reads.stop();
    for (auto& problem : reads.problems())
      FAIL_CHECK(problem);
    WARN("the longest read took " << reads.longest().count() << " ms");
  }
  await("the node to heal", [&] { return admin.get("/readyz").status == 200; });
  // What was refused did not happen, and can be asked for again.
  CHECK(session.get()["expires_at"] == expires);
  CHECK(expect(200, admin.get("/projects")).data() == projects);
  auto made = expect(201, create(node, "next")).data();
  CHECK(expect(201, create(node, "next")).data()["id"] == made["id"]);
  expect(200, session.post("/extend", {{"expires_in", "48h"}}));
  expect(200, ends.remove());
  expect(200, session.checkin({{"skip_review", true}}));
  auto events = stream.rest();
  check_ids(events, events.front().seq());
  CHECK(events.back().type == "session.ended");
}

TEST_CASE("a session that is ended while the store is held is ended",
          "[one-node]") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  session.run("echo precious > work.txt");
  std::future<http_reply> removed;
  {
    store_lock lock{node};
    removed = std::async(std::launch::async,
                         [&] { return node.admin().remove(session.path()); });
    // Longer than a statement waits for the lock.
    removed.wait_for(std::chrono::seconds{8});
    CHECK(node.admin().get(session.path()).status == 200);
  }
  auto reply = removed.get();
  INFO(to_string(reply));
  CHECK((reply.status == 200 || reply.status == 503));
  await("its end", [&] {
    if (session.status() == "active")
      session.remove();
    return session.status() == "terminated";
  });
  CHECK(session.timeline("types=session.ended").size() == 1);
  CHECK(node.git(
          {"show", "refs/greenroom/rescue/" + session.id() + "/tree:work.txt"})
        == "precious");
  auto events = session.watch().rest();
  check_ids(events);
  CHECK(events.back().type == "session.ended");
}

TEST_CASE("a node that dies while the store is held has lost nothing",
          "[one-node]") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  session.start("counts", "for i in 1 2 3; do echo $i; done; sleep 1000");
  await("its output",
        [&] { return session.exec("counts")["stdout_bytes"] == 6; });
  http_reply refused;
  {
    store_lock lock{node};
    refused = create(node, "next");
    CHECK(refused.status == 503);
    node.kill9();
  }
  node.start();
  CHECK(session.status() == "active");
  CHECK(session.exec("counts")["status"] == "running");
  CHECK(expect(200, node.admin().get(session.path("/execs/counts/output"))).body
        == "1\n2\n3\n");
  auto made = expect(201, create(node, "next")).data();
  CHECK(made["status"] == "active");
}
