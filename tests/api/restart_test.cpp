// What a node promises over its own sudden death: no command, no byte and no
// session is lost.
#include "runtime/store/sql.hpp"
#include "tests/api/demo.hpp"

#include "runtime/base/pidfd.hpp"

#include <poll.h>

#include <csignal>
#include <fstream>
#include <future>
#include <random>
#include <set>

using namespace greenroom::test;
namespace fs = std::filesystem;

namespace {

const std::string counter =
  "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done";

std::string slurp(const fs::path& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

/// What stands around a session's commands.
bool is_machinery(const fs::path& program) {
  auto name = program.filename();
  return name == "greenroom-runner" || name == "bwrap" || name == "slirp4netns";
}

/// Processes of a session: its runner with what belongs to it, or all others.
std::set<pid_t> processes_of(const session_user& session, bool runner) {
  std::set<pid_t> result;
  auto marker = std::string(1, '\0') + "GREENROOM_SESSION_ID=" + session.id();
  for (auto& entry : fs::directory_iterator{"/proc"}) {
    auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos)
      continue;
    auto environment = '\0' + slurp(entry.path() / "environ");
    std::error_code none;
    auto program = fs::read_symlink(entry.path() / "exe", none);
    if (environment.find(marker) != std::string::npos
        && is_machinery(program) == runner)
      result.insert(std::stoi(name));
  }
  return result;
}

void signal_runner(const session_user& session, int signal) {
  auto runners = processes_of(session, true);
  REQUIRE(!runners.empty());
  for (auto pid : runners)
    ::kill(pid, signal);
}

std::uint64_t count_of(const std::vector<sse_event>& events,
                       const std::string& exec_id) {
  auto text = output_of(events, exec_id);
  std::uint64_t expected = 0;
  std::size_t at = 0;
  for (auto end = text.find('\n'); end != std::string::npos;
       end = text.find('\n', at)) {
    REQUIRE(text.substr(at, end - at) == std::to_string(++expected));
    at = end + 1;
  }
  return expected;
}

void append(std::vector<sse_event>& to, const std::vector<sse_event>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

/// Asks in another thread; an answer that never comes has the status 0.
std::future<http_reply> ask_beside(http_client client, std::string path,
                                   json body) {
  return std::async(std::launch::async, [=] {
    try {
      return client.post(path, body);
    } catch (const std::runtime_error&) {
      return http_reply{};
    }
  });
}

void let_pass(int milliseconds) {
  ::poll(nullptr, 0, milliseconds);
}

} // namespace

TEST_CASE("ten sessions with running commands survive kill -9 of the node",
          "[one-node]") {
  node_process node;
  constexpr int count = 10;
  std::vector<session_user> all;
  std::vector<std::vector<sse_event>> seen(count);
  for (int i = 0; i < count; ++i) {
    all.push_back({node, json{{"new_branch", "b" + std::to_string(i)}}});
    all.back().start("count", counter);
  }
  std::vector<sse_client> streams;
  for (auto& session : all)
    streams.push_back(session.watch());
  auto counts = [](std::uint64_t least) {
    return [=](const sse_event& event) {
      return event.type == "exec.output" && event.data["offset"] > least;
    };
  };
  for (int i = 0; i < count; ++i)
    seen[i] = streams[i].until(counts(20));
  node.kill9();
  for (int i = 0; i < count; ++i) {
    append(seen[i], streams[i].rest());
    CHECK(!streams[i].ended_in_order());
  }
  node.start();
  for (int i = 0; i < count; ++i) {
    auto& session = all[i];
    INFO(session.id());
    CHECK(session.status() == "active");
    CHECK(session.exec("count")["status"] == "running");
    auto before = count_of(seen[i], "count");
    auto again = session.watch("", seen[i].back().id);
    append(seen[i], again.until(counts(3 * before + 100)));
    CHECK(session.run("echo usable")["stdout"] == "usable\n");
    auto ended =
      expect(200, node.admin().remove(session.path("/execs/count"))).data();
    CHECK(ended["status"] == "canceled");
    append(seen[i], again.until([](const sse_event& event) {
      return event.type == "exec.exited" && event.data["exec_id"] == "count";
    }));
    check_ids(seen[i]);
    CHECK(count_of(seen[i], "count") > before);
    CHECK(output_of(seen[i], "count").size() == ended["stdout_bytes"]);
  }
}

TEST_CASE("commands outlive an orderly stop too") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  session.start("waits", "until [ -e go ]; do sleep 0.02; done; echo done; "
                         "exit 5");
  auto stream = session.watch();
  CHECK(node.terminate() == 0);
  stream.rest();
  // It ends while nobody is there to see it.
  std::ofstream{session.checkout() / "go"} << "";
  await("the command's end", [&] {
    return fs::exists(node.data_dir() / "sessions" / session.id()
                      / "exec/waits/exit.json")
           || processes_of(session, false).empty();
  });
  node.start();
  auto exec = session.await_status("waits", "exited");
  CHECK(exec["exit_code"] == 5);
  auto replay = session.watch().until(
    [](const sse_event& event) { return event.type == "exec.exited"; });
  check_ids(replay);
  CHECK(output_of(replay, "waits") == "done\n");
}

TEST_CASE("commands that wait in line are run after a restart, in order") {
  node_process node{{.set = {"exec.max_concurrent=1"}}};
  session_user session{node, json{{"new_branch", "work"}}};
  session.start("first", "until [ -e go ]; do sleep 0.02; done");
  for (std::string id : {"a", "b", "c"})
    session.start(id, "echo " + id + " >> order");
  node.kill9();
  node.start();
  CHECK(session.exec("b")["status"] == "queued");
  std::ofstream{session.checkout() / "go"} << "";
  session.await_status("c", "exited");
  CHECK(session.run("cat order")["stdout"] == "a\nb\nc\n");
}

TEST_CASE("a command can be canceled before its runner is found again") {
  node_process node{{.set = {"exec.kill_grace=200ms"}}};
  session_user session{node, json{{"new_branch", "work"}}};
  session.start("sleeps", "sleep 1000");
  node.kill9();
  signal_runner(session, SIGSTOP);
  node.start();
  auto asked = std::async(std::launch::async, [&] {
    return node.admin().remove(session.path("/execs/sleeps"));
  });
  CHECK(session.exec("sleeps")["status"] == "running");
  CHECK(asked.wait_for(std::chrono::milliseconds{200})
        == std::future_status::timeout);
  signal_runner(session, SIGCONT);
  auto reply = asked.get();
  INFO(to_string(reply));
  CHECK(reply.status == 200);
  CHECK(session.exec("sleeps")["status"] == "canceled");
}

TEST_CASE("a create that kill -9 cuts off leaves the branch usable") {
  node_process node;
  std::mt19937 random{7};
  for (int round = 0; round < 8; ++round) {
    json body{{"new_branch", "b" + std::to_string(round)}};
    auto asked = ask_beside(node.admin(), sessions, body);
    let_pass(std::uniform_int_distribution{0, 50}(random));
    node.kill9();
    asked.wait();
    node.start();
    json mine;
    await("the session to be something", [&] {
      auto list = expect(200, node.admin().get(sessions)).data()["sessions"];
      mine = json{};
      for (auto& session : list)
        if (session["branch"] == body["new_branch"])
          mine = session;
      return mine.is_null() || mine["status"] != "creating";
    });
    INFO("round " << round << ": " << mine.dump());
    if (!mine.is_null()) {
      session_user session{node, mine["id"].get<std::string>()};
      if (mine["status"] == "active") {
        CHECK(session.run("cat README.md")["stdout"] == "# Demo\n");
        expect(200, session.remove());
      } else {
        CHECK(mine["status"] == "failed");
      }
      auto events = session.watch().rest();
      REQUIRE(!events.empty());
      // Of one that left nothing on its disk a node of a cluster does not know
      // what another may have told: the ids of the next epoch begin.
      check_ids(events, nodes_of_a_test() == 1 ? 1 : events.front().seq());
      CHECK(events.back().type == "session.ended");
    }
    session_user next{node, body};
    CHECK(next.run("cat README.md")["stdout"] == "# Demo\n");
    expect(200, next.remove());
  }
}

// What it has changed is the file of an embedded store; for members of a
// cluster see members_test.cpp.
TEST_CASE(
  "a project that cannot be served keeps no node from starting, and its "
  "sessions wait",
  "[one-node]") {
  node_process node{{.sandboxed = false}};
  session_user waits{node, json{{"new_branch", "work"}}};
  waits.run("echo kept > kept.txt");
  auto other = [&](const json& body) {
    return node.admin().post("/projects/other/sessions", body);
  };
  expect(201, other({{"new_branch", "before"}}));
  node.kill9();
  // As a newer version may have written it.
  auto set = [&](const std::string& from, const std::string& to) {
    namespace store = greenroom::store;
    store::connection db{"sqlite3://greenroom.db", node.data_dir(),
                         greenroom::sync_mode::normal};
    store::in_transaction(db, [&](soci::session& sql) {
      sql << "UPDATE projects SET json = replace(json, '" + from + "', '" + to
               + "') WHERE id = 'demo'";
    });
  };
  set("\"repo\":", "\"unheard_of\":");
  node.start();
  auto ready = node.admin().get("/readyz");
  INFO(to_string(ready));
  CHECK(ready.status == 200);
  CHECK(ready.body.find("the store has project demo in a form that cannot be "
                        "read")
        != std::string::npos);
  expect(201, other({{"new_branch", "after"}}));
  CHECK(node.admin().get(waits.path()).status == 404);
  const bool restarted = GENERATE(false, true);
  INFO((restarted ? "read at the next start" : "read while the node runs"));
  if (restarted)
    node.kill9();
  set("\"unheard_of\":", "\"repo\":");
  if (restarted)
    node.start();
  await("the project to be served",
        [&] { return node.admin().get(waits.path()).status == 200; });
  CHECK(waits.run("cat kept.txt")["stdout"] == "kept\n");
  ready = node.admin().get("/readyz");
  INFO(to_string(ready));
  CHECK(ready.body.find("cannot be read") == std::string::npos);
}

TEST_CASE("a check-in that kill -9 cuts off loses nothing") {
  node_process node;
  std::mt19937 random{8};
  for (int round = 0; round < 8; ++round) {
    auto branch = "b" + std::to_string(round);
    session_user session{node, json{{"new_branch", branch}}};
    session.run("echo precious > work.txt");
    auto asked = ask_beside(node.admin(), session.path("/checkin"),
                            {{"commit_message", "Precious " + branch}});
    let_pass(std::uniform_int_distribution{0, 80}(random));
    node.kill9();
    auto answered = asked.get().status == 200;
    node.start();
    std::string status;
    await("the session to be something", [&] {
      status = session.status();
      return status == "active" || status == "ended";
    });
    INFO("round " << round << ": " << status);
    CHECK((!answered || status == "ended"));
    if (status == "active")
      expect(200, session.checkin({{"commit_message", "Precious " + branch}}));
    CHECK(node.git({"show", branch + ":work.txt"}) == "precious");
    CHECK(node.git({"log", "--format=%s %an", branch})
          == "Precious " + branch + " admin\nFirst Ada");
    auto events = session.watch().rest();
    check_ids(events);
    CHECK(events.back().type == "session.ended");
    CHECK(events.back().data["status"] == "ended");
    session_user next{node, json{{"branch", branch}}};
    CHECK(next.run("cat work.txt")["stdout"] == "precious\n");
  }
}

TEST_CASE("an expiry that fell due while the node was down happens at start") {
  node_process node;
  session_user session{node, json{{"new_branch", "brief"}}};
  session.start("runs", counter);
  std::ofstream{session.new_checkout() / "left.txt"} << "left\n";
  expect(200, session.post("/extend", {{"expires_in", "1s"}}));
  auto expires = session.get()["expires_at"].get<std::string>();
  node.kill9();
  await("the deadline", [&] {
    char now[32];
    auto time = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&time, &parts);
    std::strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%S", &parts);
    return now > expires;
  });
  node.start();
  auto events = session.watch().rest();
  check_ids(events);
  CHECK(events.back().type == "session.ended");
  CHECK(events.back().data["status"] == "expired");
  CHECK(processes_of(session, false).empty());
  CHECK(node.git(
          {"show", "refs/greenroom/rescue/" + session.id() + "/tree:left.txt"})
        == "left");
}

TEST_CASE("a runner that is killed loses its commands, not its session") {
  node_process node{{.set = {"exec.max_concurrent=1"}}};
  session_user session{node, json{{"new_branch", "work"}}};
  session.start("runs", "echo before; sleep 1000");
  session.start("waits", "echo after");
  await("output", [&] { return session.exec("runs")["stdout_bytes"] == 7; });
  signal_runner(session, SIGKILL);
  auto lost = session.await_status("runs", "lost");
  CHECK(!lost.contains("exit_code"));
  CHECK(!lost.contains("signal"));
  CHECK(lost["stdout_bytes"] == 7);
  auto next = session.await_status("waits", "exited");
  CHECK(next["exit_code"] == 0);
  CHECK(session.run("echo usable")["stdout"] == "usable\n");
  // What nobody could ever say anything about does not run on.
  CHECK(eventually([&] { return processes_of(session, false).empty(); }));
  expect(200, session.checkin());
}

TEST_CASE("a runner that dies while the node is down leaves nothing behind") {
  node_process node{{.set = {"exec.max_concurrent=1"}}};
  session_user session{node, json{{"new_branch", "work"}}};
  session.start("runs", "sleep 1000");
  session.start("waits", "echo after");
  node.kill9();
  signal_runner(session, SIGKILL);
  node.start();
  auto lost = session.await_status("runs", "lost");
  CHECK(!lost.contains("exit_code"));
  CHECK(session.await_status("waits", "exited")["exit_code"] == 0);
  CHECK(session.run("echo usable")["stdout"] == "usable\n");
  CHECK(eventually([&] { return processes_of(session, false).empty(); }));
}
