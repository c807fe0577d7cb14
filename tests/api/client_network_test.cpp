// The client's commands over networks that break, beside servers that go away,
// and with readers and terminals that do: nothing is lost, doubled or left
// behind.
#include "tests/api/terminal_user.hpp"
#include "tests/support/cutting_proxy.hpp"
#include "tests/support/http_receiver.hpp"
#include "tests/support/sockets.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <future>
#include <string>
#include <vector>

using namespace greenroom::test;
using namespace greenroom;

namespace {

/// Runs the words after it on a terminal of its own, and prints what that
/// shows.
constexpr const char* on_terminal = R"(
import os, pty, sys
pid, master = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
seen = b""
while True:
    try:
        got = os.read(master, 65536)
    except OSError:
        break
    if not got:
        break
    seen += got
sys.stdout.buffer.write(seen.replace(b"\r", b""))
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
)";

command_result run_on_terminal(const terminal_user& user,
                               std::vector<std::string> words) {
  auto what = user.command_of({});
  what.argv = {"python3", "-c", on_terminal, binary_dir() / "greenroom"};
  what.argv.insert(what.argv.end(), words.begin(), words.end());
  return run_command(what);
}

double open_streams(const node_process& node) {
  auto text = node.admin().get("/metrics").body;
  const std::string name = "\ngreenroom_http_streams ";
  return std::stod(text.substr(text.find(name) + name.size()));
}

/// An answer of a server of ours, whole.
std::string json_answer(int status, const json& body) {
  auto text = body.dump();
  return "HTTP/1.1 " + std::to_string(status)
         + " X\r\nContent-Type: application/json\r\nContent-Length: "
         + std::to_string(text.size()) + "\r\n\r\n" + text;
}

const std::string some_session = "abcdefghij0123456789";

bool asks_for(const received_request& request, const std::string& what) {
  return request.line.find(what) != std::string::npos;
}

// A node that is started again is found where it was.
std::string kept_address() {
  return "http.listen=127.0.0.1:" + std::to_string(unused_port());
}

} // namespace

TEST_CASE("a network that breaks every connection costs exec no byte") {
  const auto runs = std::getenv("GREENROOM_SOAK") != nullptr ? 200 : 5;
  node_process node;
  session_user session{node, {{"new_branch", "cut"}}};
  const std::string script = "i=0; while [ $i -lt 2000 ]; do echo out $i; "
                             "[ $((i % 3)) = 0 ] && echo err $i >&2; "
                             "i=$((i+1)); done; printf 'no line\\0'; exit 9";
  const auto local = run_command(
    {.argv = {"/bin/bash", "-c", script}, .env = {"PATH=/usr/bin:/bin"}});
  cutting_proxy network{node.port(), 500, 20'000, 4711};
  terminal_user user{node, network.port(), node.admin_key()};
  for (int i = 0; i < runs; ++i) {
    auto result = user.run({"exec", session.id(), "-c", script});
    INFO(i << ": " << result.err.substr(0, 300));
    REQUIRE(local.exit_code == 9);
    REQUIRE(result.exit_code == local.exit_code);
    CHECK(result.out == local.out);
    CHECK(result.err == local.err);
  }
  CHECK(network.cuts() > 0);
}

TEST_CASE("a terminal over such a network shows each byte once") {
  node_process node;
  session_user session{node, {{"new_branch", "cut"}}};
  // More than the screenful that a new viewer is shown.
  const std::string script =
    "i=0; while [ $i -lt 12000 ]; do echo line $i; i=$((i+1)); done; exit 9";
  std::string all;
  for (int i = 0; i < 12'000; ++i)
    all += "line " + std::to_string(i) + "\n";
  cutting_proxy network{node.port(), 1'000, 40'000, 4712};
  terminal_user user{node, network.port(), node.admin_key()};
  auto result =
    run_on_terminal(user, {"exec", "-t", session.id(), "-c", script});
  CHECK(result.exit_code == 9);
  CHECK(result.out.size() == all.size());
  CHECK(result.out == all);
  CHECK(network.cuts() > 0);
}

TEST_CASE("a terminal that is attached later shows its last lines, once") {
  node_process node;
  session_user session{node, {{"new_branch", "cut"}}};
  auto lines = [](int first) {
    std::string result;
    for (int i = first; i <= 20'000; ++i)
      result += std::to_string(i) + '\n';
    return result;
  };
  expect(202, session.post("/exec",
                           {{"command", "seq 20000; echo filled; while [ ! -e "
                                        "go ]; do sleep 0.05; done; seq 20000"},
                            {"exec_id", "t"},
                            {"tty", {{"rows", 24}, {"cols", 80}}}}));
  // A terminal's lines end with two characters.
  await("the first lines", [&] {
    return session.exec("t")["stdout_bytes"] == lines(1).size() + 20'008;
  });
  cutting_proxy network{node.port(), 1'000, 40'000, 4713};
  terminal_user user{node, network.port(), node.admin_key()};
  auto go = std::async(std::launch::async, [&] {
    auto begun = eventually([&] { return open_streams(node) > 0; });
    node.admin().post(session.path("/exec"), {{"command", "touch go"}});
    return begun;
  });
  auto result = run_on_terminal(user, {"attach", session.id(), "t"});
  CHECK(go.get());
  CHECK(result.exit_code == 0);
  auto first = std::stoi(first_line(result.out));
  CHECK(first > 5'000);
  CHECK(result.out == lines(first) + "filled\n" + lines(1));
}

TEST_CASE("one stream that is followed goes on when its node does") {
  node_process node{{.set = {kept_address()}}};
  session_user session{node, {{"new_branch", "follow"}}};
  session.start("e", "echo one; while [ ! -e go ]; do sleep 0.05; done; echo "
                     "two");
  terminal_user user{node};
  running_command logs{user,
                       {"logs", "-f", "--stream", "stdout", session.id(), "e"}};
  logs.await_output("one\n");
  node.terminate();
  node.start();
  session.run("touch go");
  CHECK(logs.wait() == 0);
  CHECK(logs.output() == "one\ntwo\n");
}

TEST_CASE("events that come while a watcher is away are not lost") {
  node_process node{{.sandboxed = false, .set = {kept_address()}}};
  session_user session{node, {{"new_branch", "away"}}};
  terminal_user all_user{node};
  terminal_user one_user{node};
  // Nothing happens before they are cut off.
  running_command all{
    all_user, {"events", "-n", "1", "--types", "exec.exited", "-o", "json"}};
  running_command one{one_user, {"watch", session.id()}};
  await("the streams", [&] { return open_streams(node) == 2; });
  all.signal(SIGSTOP);
  one.signal(SIGSTOP);
  node.kill9();
  node.start();
  session.run("exit 7");
  session.remove();
  all.signal(SIGCONT);
  one.signal(SIGCONT);
  CHECK(all.wait() == 0);
  CHECK(json::parse(all.output())["exit_code"] == 7);
  CHECK(one.wait() == 0);
  CHECK_THAT(one.output(), Catch::Contains("exec.exited"));
  CHECK_THAT(one.output(), Catch::Contains("session.ended"));
}

TEST_CASE("a watcher waits for a server that is busy") {
  std::atomic<int> asked = 0;
  http_receiver server{[&](const received_request& request) {
    if (!asks_for(request, "/events"))
      return json_answer(200, {{"data", {{"id", some_session}}}});
    if (++asked <= 2)
      return json_answer(
        503, {{"error",
               {{"code", "OVERLOADED"},
                {"message", "busy"},
                {"details", {{"retryable", true}, {"retry_after_ms", 1}}}}}});
    const std::string event =
      "event: session.ended\ndata: {\"time\": \"now\"}\nid: 1-1\n\n";
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(event.size())
           + "\r\n\r\n" + event;
  }};
  terminal_user user{server.port(), "key"};
  CHECK_THAT(user.out({"watch", "-p", "demo", some_session}),
             Catch::Contains("session.ended"));
  CHECK(asked == 3);
}

TEST_CASE("a cancel goes again where the connection breaks") {
  std::atomic<int> cancels = 0;
  http_receiver server{[&](const received_request& request) {
    if (request.line.starts_with("DELETE") && ++cancels == 1)
      return std::string{};
    return json_answer(200,
                       {{"data", {{"exec_id", "e"}, {"status", "canceled"}}}});
  }};
  terminal_user user{server.port(), "key"};
  CHECK_THAT(user.out({"kill", "-p", "demo", some_session, "e"}),
             Catch::Contains("canceled"));
  CHECK(cancels == 2);
}

TEST_CASE("a fault of the server's is told with the request's id") {
  http_receiver server{[&](const received_request&) {
    return json_answer(500, {{"error",
                              {{"code", "INTERNAL"},
                               {"message", "it broke"},
                               {"details", {{"remediation", "Report it."}}}}},
                             {"meta", {{"request_id", "r-7"}}}});
  }};
  auto result = terminal_user{server.port(), "key"}.run({"whoami"});
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.err, Catch::Contains("it broke (request r-7)"));
  CHECK_THAT(result.err, Catch::Contains("Report it."));
}

TEST_CASE("a session is found without a look at those that are over") {
  http_receiver server{[&](const received_request& request) {
    auto sessions = json::array();
    if (asks_for(request, "status=active"))
      sessions.push_back({{"id", some_session},
                          {"project_id", "demo"},
                          {"branch", "fix"},
                          {"status", "active"}});
    return json_answer(
      200,
      {{"data",
        {{"sessions", sessions}, {"id", some_session}, {"dirty_files", 0}}}});
  }};
  terminal_user user{server.port(), "key"};
  auto asked = [&](std::vector<std::string> words) {
    auto before = server.requests().size();
    user.out(std::move(words));
    std::vector<std::string> result;
    for (auto& one : server.requests())
      result.push_back(one.line);
    result.erase(result.begin(),
                 result.begin() + static_cast<std::ptrdiff_t>(before));
    return result;
  };
  auto all_live = [](const std::vector<std::string>& lines) {
    return std::ranges::all_of(lines, [](const std::string& line) {
      return line.find("/sessions?") == std::string::npos
             || line.find("status=") != std::string::npos;
    });
  };
  CHECK(all_live(asked({"status", "fix"})));
  CHECK(all_live(asked({"status", "abcde"})));
  CHECK(all_live(asked({"list"})));
  // By a whole id at once.
  auto lines = asked({"show", "-p", "demo", some_session});
  for (auto& line : lines)
    CHECK(line.starts_with("GET /projects/demo/sessions/" + some_session));
}

TEST_CASE("a command whose output nobody reads ends as it would here") {
  node_process node;
  terminal_user user{node};
  user.out({"create", "fix", "-p", "demo"});
  auto piped = run_command(
    user.bash("\"$0\" exec fix -- yes | head -n 1; echo ${PIPESTATUS[0]}"));
  CHECK(piped.out == "y\n141\n");
  CHECK(piped.err.empty());
  CHECK(user.out({"ps", "fix", "-q"}).empty());
  // One that does not care is named.
  piped = run_command(
    user.bash("\"$0\" exec fix -c 'trap \"\" PIPE; echo up; while :; do echo "
              "more; sleep 0.05; done' | head -n 1; echo ${PIPESTATUS[0]}"));
  CHECK(piped.out == "up\n141\n");
  auto runs = first_line(user.out({"ps", "fix", "-q"}));
  CHECK_THAT(piped.err, Catch::Contains("runs on"));
  CHECK_THAT(piped.err, Catch::Contains(runs));
  user.out({"kill", "fix", runs});

  // What follows only looks.
  auto started = first_line(user.out({"exec", "-d", "-q", "fix", "--", "yes"}));
  piped = run_command(user.bash("\"$0\" logs -f fix " + started
                                + " | head -n 1; echo ${PIPESTATUS[0]}"));
  CHECK(piped.out == "y\n141\n");
  CHECK(user.out({"ps", "fix", "-q"}) == started + '\n');
}

TEST_CASE("a session that was made for a command goes with it, however") {
  node_process node;
  terminal_user user{node};
  auto piped = run_command(
    user.bash("\"$0\" run -p demo -- yes | head -n 1; echo ${PIPESTATUS[0]}"));
  CHECK(piped.out == "y\n141\n");
  CHECK(user.out({"list", "-q"}).empty());

  for (auto signal : {SIGTERM, SIGHUP}) {
    running_command made{user,
                         {"run", "-p", "demo", "-c", "echo up; sleep 600"}};
    made.await_output("up\n");
    made.signal(signal);
    CHECK(made.wait() == 128 + signal);
    CHECK(user.out({"list", "-q"}).empty());
  }
}
