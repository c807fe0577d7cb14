// Every session ends, whatever stands in the way, with its work kept and named.
#include "runtime/exec/orphans.hpp"
#include "tests/api/demo.hpp"

#include <array>
#include <fstream>
#include <functional>
#include <future>

using namespace greenroom::test;
namespace fs = std::filesystem;

namespace {

/// An upstream that takes nothing into its branches until it is let.
class gate {
public:
  explicit gate(const node_process& node, bool open_to_all) {
    auto hook = node.upstream() / "hooks/pre-receive";
    fs::create_directories(hook.parent_path());
    let_ = node.upstream() / "let";
    seen_ = node.upstream() / "seen";
    std::ofstream{hook} << "#!/bin/sh\n"
                           "while read old new ref; do case $ref in\n"
                           "refs/heads/*) touch "
                        << seen_.string() << "; until [ -e " << let_.string()
                        << " ]; do sleep 0.05; done; "
                        << (open_to_all ? "" : "echo no; exit 1")
                        << " ;;\nesac; done\nexit 0\n";
    fs::permissions(hook, fs::perms::owner_all);
  }
  void await_somebody() const {
    await("a push", [this] { return fs::exists(seen_); });
  }
  void open() const {
    std::ofstream{let_} << "";
  }

private:
  fs::path let_;
  fs::path seen_;
};

std::future<http_reply> beside(std::function<http_reply()> ask) {
  return std::async(std::launch::async, std::move(ask));
}

std::string rescued(const node_process& node, const session_user& session,
                    const std::string& file) {
  return node.git(
    {"show", "refs/greenroom/rescue/" + session.id() + "/" + file});
}

/// The upstream is not where it was, as long as this lives.
class away {
public:
  explicit away(const node_process& node)
    : here_(node.upstream()), there_(here_) {
    there_ += ".away";
    fs::rename(here_, there_);
  }
  away(const away&) = delete;
  away& operator=(const away&) = delete;
  ~away() {
    fs::rename(there_, here_);
  }

private:
  fs::path here_;
  fs::path there_;
};

} // namespace

TEST_CASE("a DELETE during a check-in is answered with the session's end") {
  auto taken = GENERATE(true, false);
  node_process node;
  gate upstream{node, taken};
  session_user session{node, json{{"new_branch", "work"}}};
  session.run("echo precious > work.txt");
  auto checkin = beside([&] {
    return session.checkin({{"skip_review", true}});
  });
  upstream.await_somebody();
  CHECK(session.status() == "checking_in");
  auto removed = beside([&] { return session.remove(); });
  auto again = beside([&] { return session.remove(); });
  CHECK(removed.wait_for(std::chrono::milliseconds{300})
        == std::future_status::timeout);
  upstream.open();
  auto answer = expect(200, removed.get()).data();
  expect(200, again.get());
  auto events = session.watch().rest();
  check_ids(events);
  CHECK(events.back().type == "session.ended");
  if (taken) {
    expect(200, checkin.get());
    CHECK(session.status() == "ended");
    CHECK(node.git({"show", "work:work.txt"}) == "precious");
    CHECK_THAT(answer["rescue_note"].get<std::string>(),
               Catch::Contains("branch \"work\" is at"));
    return;
  }
  CHECK_THAT(expect(409, checkin.get()).message(),
             Catch::Contains("ended by a DELETE"));
  CHECK(session.status() == "terminated");
  REQUIRE(answer["rescue_refs"].size() == 1);
  CHECK(rescued(node, session, "heads/work:work.txt") == "precious");
  auto types = types_of(events);
  CHECK(types.at(types.size() - 2) == "checkin.finished");
}

TEST_CASE("a session ends although its runner's file is broken") {
  auto broken = GENERATE("text", "directory");
  INFO(broken);
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  session.run("echo precious > work.txt");
  session.start("runs", "sleep 1000");
  auto file = node.data_dir() / "sessions" / session.id() / "runner.json";
  node.kill9();
  if (broken == std::string{"text"}) {
    std::ofstream{file} << "x";
  } else {
    fs::remove(file);
    fs::create_directory(file);
  }
  node.start();
  session.await_status("runs", "lost");
  CHECK(session.run("echo usable")["stdout"] == "usable\n");
  expect(200, session.remove());
  CHECK(rescued(node, session, "tree:work.txt") == "precious");
  CHECK(session.exec("runs")["status"] != "running");
  auto dir = node.data_dir() / "sessions" / session.id();
  CHECK(eventually(
    [&] { return !fs::exists(dir / "checkout") && !fs::exists(file); }));
}

TEST_CASE("a session ends although its timeline cannot be read") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  session_user beside_it{node, json{{"new_branch", "other"}}};
  session.run("echo precious > work.txt");
  auto dir = node.data_dir() / "sessions" / session.id();
  node.kill9();
  fs::rename(dir / "timeline", dir / "kept");
  fs::create_directory(dir / "timeline");
  node.start();
  await("the session's end", [&] {
    auto reply = node.admin().get(session.path());
    return reply.status == 200 && reply.data()["status"] == "failed";
  });
  auto shown = session.get();
  INFO(shown.dump());
  CHECK(rescued(node, session, "tree:work.txt") == "precious");
  CHECK(shown["rescue_refs"].size() == 1);
  auto events = session.watch().rest();
  REQUIRE(!events.empty());
  CHECK(events.back().type == "session.ended");
  CHECK(beside_it.run("echo fine")["stdout"] == "fine\n");
  CHECK(node.admin().get("/readyz").status == 200);
  // What it was is kept for whoever can read it.
  CHECK(fs::is_directory(dir / "timeline.unreadable"));
}

// In a cluster it is taken for one that has come from another node, and goes on
// from its checkpoint.
TEST_CASE("a session whose directory was removed while the node was down says "
          "so, and nothing is left of it",
          "[one-node]") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  session_user beside_it{node, json{{"new_branch", "other"}}};
  session_user young{node, json{{"new_branch", "young"}}};
  session.run("echo precious > work.txt");
  session.start("runs", "sleep 1000");
  beside_it.run("echo kept > kept.txt");
  auto dir = [&](const session_user& one) {
    return node.data_dir() / "sessions" / one.id();
  };
  const bool was_younger = GENERATE(false, true);
  node.kill9();
  fs::remove_all(dir(session));
  // So long before its end had the node been there; what is younger a power
  // cut may have taken.
  fs::last_write_time(node.data_dir() / "probe",
                      fs::file_time_type::clock::now()
                        + std::chrono::minutes{was_younger ? 0 : 10});
  node.start();
  CHECK(beside_it.run("cat kept.txt")["stdout"] == "kept\n");
  CHECK(young.run("echo fine")["stdout"] == "fine\n");
  if (was_younger) {
    CHECK(session.run("ls work.txt")["exit_code"] != 0);
    return;
  }
  await("its end", [&] { return session.status() == "failed"; });
  CHECK_THAT(session.get()["status_reason"].get<std::string>(),
             Catch::Contains("somebody has removed its directory on node"));
  CHECK(greenroom::kill_orphans(std::array{session.id()}) == 0);
  CHECK(eventually([&] { return node.admin().get("/readyz").status == 200; }));
  auto events = session.watch().rest();
  REQUIRE(!events.empty());
  CHECK(events.back().type == "session.ended");
  // Its branch is free.
  session_user next{node, json{{"new_branch", "work"}}};
  CHECK(next.run("echo fine")["stdout"] == "fine\n");
}

TEST_CASE("rescued work that the upstream could not take is pushed when it is "
          "back") {
  auto restart = GENERATE(false, true);
  INFO((restart ? "after a restart" : "while the node lives"));
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  session_user second{node, json{{"new_branch", "more"}}};
  session.run("echo precious > work.txt");
  second.run("echo precious too > work.txt");
  {
    away from{node};
    auto answer = expect(200, session.remove()).data();
    CHECK_THAT(answer["rescue_note"].get<std::string>(),
               Catch::Contains("in this node's mirror only"));
    expect(200, second.remove());
    CHECK_THAT(second.get()["rescue_note"].get<std::string>(),
               Catch::Contains("in this node's mirror only"));
    if (restart)
      node.kill9();
  }
  if (restart)
    node.start();
  for (auto* one : {&session, &second}) {
    await("the rescue refs to be pushed",
          [&] { return !one->get().contains("rescue_note"); });
    CHECK_FALSE(rescued(node, *one, "tree:work.txt").empty());
  }
  // Nothing is left to be pushed, and that is stored.
  await("the list to be empty", [&] {
    return fs::is_empty(node.data_dir() / "repos/demo.git/greenroom-unpushed");
  });
  node.kill9();
  node.start();
  CHECK_FALSE(session.get().contains("rescue_note"));
}
