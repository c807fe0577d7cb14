// Commands in a session: how they are started, how they end, who comes first.
#include "tests/api/demo.hpp"

#include <algorithm>
#include <csignal>
#include <fstream>

using namespace greenroom::test;

namespace {

std::string slurp(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

// Whether the session's sandbox has a process that it calls `pid`, seen from
// outside. One that has ended shows no environment any more.
bool is_running(const session_user& session, pid_t pid) {
  auto marker = std::string(1, '\0') + "GREENROOM_SESSION_ID=" + session.id();
  for (auto& entry : std::filesystem::directory_iterator{"/proc"}) {
    auto status = slurp(entry.path() / "status");
    auto begin = status.find("\nNSpid:");
    if (begin == std::string::npos)
      continue;
    auto line = status.substr(begin + 1, status.find('\n', begin + 1) - begin);
    if (line.find('\t' + std::to_string(pid) + '\n') != std::string::npos
        && ('\0' + slurp(entry.path() / "environ")).find(marker)
             != std::string::npos)
      return true;
  }
  return false;
}

pid_t pid_in(const json& exec) {
  return std::stoi(exec["stdout"].get<std::string>());
}

void touch(const session_user& session, const std::string& name) {
  std::ofstream{session.checkout() / name} << "";
}

std::string wait_for(const std::string& name) {
  return "while [ ! -e " + name + " ]; do sleep 0.02; done; ";
}

} // namespace

TEST_CASE("a command runs by the shell, its end comes with its output") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  auto exec = session.run("echo out; echo err >&2; exit 3");
  CHECK(exec["status"] == "exited");
  CHECK(exec["exit_code"] == 3);
  CHECK(exec["stdout"] == "out\n");
  CHECK(exec["stderr"] == "err\n");
  CHECK(exec["stdout_bytes"] == 4);
  CHECK(exec["stderr_bytes"] == 4);
  CHECK(exec["truncated"] == false);
  CHECK(exec["command"] == "echo out; echo err >&2; exit 3");
  CHECK(!exec.contains("argv"));
  CHECK(exec["session_id"] == session.id());
  for (auto name :
       {"exec_id", "created_at", "started_at", "ended_at", "stream_url"})
    CHECK(exec[name].is_string());
  CHECK(!exec.contains("signal"));

  auto again = session.exec(exec["exec_id"]);
  exec.erase("stdout");
  exec.erase("stderr");
  CHECK(again == exec);
  sse_client stream{node.port(), exec["stream_url"], node.admin_key()};
  CHECK(stream.next()->data["exec_id"] == exec["exec_id"]);
}

TEST_CASE("a command is fed with its start, and may be long") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  auto sorted = expect(200, session.post("/exec", {{"argv", {"sort"}},
                                                   {"stdin_text", "b\na\n"},
                                                   {"wait", "60s"}}))
                  .data();
  CHECK(sorted["stdout"] == "a\nb\n");
  std::string text(300'000, 'x');
  auto counted = expect(200, session.post("/exec", {{"command", "wc -c"},
                                                    {"stdin_text", text},
                                                    {"wait", "60s"}}))
                   .data();
  CHECK(counted["stdout"] == "300000\n");
  auto longest =
    session.run("echo $0; : " + std::string(8'000'000, 'y') + "; exit 5");
  CHECK(longest["exit_code"] == 5);
  CHECK(longest["command"].get<std::string>().size() == 65'536);
  CHECK(longest["command_bytes"] > 8'000'000);
}

TEST_CASE("a wait for the setup ends with it") {
  node_process node{{.project = {{"setup", "until [ -e go ]; do sleep 0.02; "
                                           "done"}}}};
  session_user session{node, json{{"new_branch", "work"}}};
  auto admin = node.admin();
  auto wait = session.path("/wait?until=setup:done");
  auto late = expect(200, admin.get(wait + "&timeout=50ms")).data();
  CHECK(late["reached"] == false);
  CHECK(late["exec"]["exec_id"] == "setup");
  touch(session, "go");
  auto over = expect(200, admin.get(wait)).data();
  CHECK(over["reached"] == true);
  CHECK(over["exec"]["status"] == "exited");
}

TEST_CASE("the room of a command is as programs expect it") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  auto room = session.run("umask; stat -c %a README.md; echo $PATH; test -w "
                          "$XDG_RUNTIME_DIR && stat -c %a $XDG_RUNTIME_DIR");
  INFO(room.dump());
  CHECK(room["stdout"].get<std::string>().starts_with(
    "0022\n644\n/home/greenroom/.local/bin:/home/greenroom/go/bin:"));
  CHECK(room["stdout"].get<std::string>().ends_with("\n700\n"));
  session.start("s", "sleep 1000");
  expect(200, session.remove());
  CHECK(session.exec("s")["reason"]
        == "the session ended: terminated by \"admin\", the key that made it");
}

TEST_CASE("argv runs without a shell") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  auto exec =
    expect(200, session.post("/exec",
                             {{"argv", {"printf", "%s|", "a b", "$HOME", ""}},
                              {"wait", "60s"}}))
      .data();
  CHECK(exec["stdout"] == "a b|$HOME||");
  CHECK(exec["argv"] == json{"printf", "%s|", "a b", "$HOME", ""});
  CHECK(!exec.contains("command"));
  // What the kernel passes to no program it is not given in another form.
  auto odd =
    session.post("/exec", {{"argv", {"/usr/bin/printf", "%s|", "-c", "text"}},
                           {"env", {{"BIG", std::string(200'000, 'x')}}},
                           {"wait", "60s"}});
  CHECK(odd.status == 400);
  CHECK_THAT(odd.body, Catch::Contains("too long"));
}

TEST_CASE("an environment may be as large as programs can be given it") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  json env = json::object();
  for (int i = 0; i < 520; ++i)
    env["V" + std::to_string(i)] = std::string(10'000, 'z');
  auto seen =
    expect(200, session.post("/exec", {{"command", "env | grep -c ^V"},
                                       {"env", env},
                                       {"wait", "60s"}}))
      .data();
  CHECK(seen["stdout"] == "520\n");
  // Beyond that a shell has them, but the programs that it starts have not.
  for (int i = 520; i < 800; ++i)
    env["V" + std::to_string(i)] = std::string(10'000, 'z');
  env["BIG"] = std::string(200'000, 'x');
  seen = expect(200, session.post("/exec",
                                  {{"command", "compgen -v | grep -c ^V; echo "
                                               "${#V799} ${#BIG}"},
                                   {"env", env},
                                   {"wait", "60s"}}))
           .data();
  CHECK(seen["stdout"] == "800\n10000 200000\n");
}

TEST_CASE("a command has its own environment and the session's") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  auto exec = expect(200, session.post("/exec", {{"command", "env"},
                                                 {"env", {{"MINE", "a\nb"}}},
                                                 {"exec_id", "e-1"},
                                                 {"wait", "60s"}}))
                .data();
  auto text = "\n" + exec["stdout"].get<std::string>();
  CHECK(text.find("\nMINE=a\nb\n") != std::string::npos);
  CHECK(text.find("\nGREENROOM_SESSION_ID=" + session.id())
        != std::string::npos);
  CHECK(text.find("\nGREENROOM_EXEC_ID=e-1\n") != std::string::npos);
  CHECK(text.find("ADMIN_KEY") == std::string::npos);
}

TEST_CASE("cwd is inside the checkout, whatever it says") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  auto in = [&](const std::string& cwd) {
    return session.post("/exec",
                        {{"command", "pwd"}, {"cwd", cwd}, {"wait", "60s"}});
  };
  const std::string top = "/workspace";
  CHECK(in("").data()["stdout"] == top + "\n");
  CHECK(in(".").data()["stdout"] == top + "\n");
  CHECK(in("src").data()["stdout"] == top + "/src\n");
  session.run("ln -s / out; ln -s src in; ln -s .. up");
  for (auto bad : {"..", "/etc", "src/../..", "out", "out/etc", "up", "missing",
                   "README.md"}) {
    INFO(bad);
    auto reply = in(bad);
    INFO(reply.body);
    CHECK(reply.status == 400);
  }
  CHECK(session.run("echo fine")["stdout"] == "fine\n");
}

TEST_CASE("what cannot be run is refused in one sentence") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  auto message = [&](const json& body) {
    auto reply = session.post("/exec", body);
    INFO(body.dump() << to_string(reply));
    CHECK(reply.status == 400);
    return reply.message();
  };
  CHECK(message(json::object()) == "command or argv is required");
  CHECK(message({{"command", "a"}, {"argv", {"a"}}})
        == "specify either command or argv, not both");
  for (json body : {json{{"command", ""}}, json{{"command", 1}},
                    json{{"argv", json::array()}}, json{{"argv", {""}}},
                    json{{"argv", "a"}}, json{{"argv", {"/no/such/program"}}},
                    json{{"command", "a"}, {"exec_id", "a/b"}},
                    json{{"command", "a"}, {"exec_id", std::string(65, 'a')}},
                    json{{"command", "a"}, {"env", {{"A=B", "c"}}}},
                    json{{"command", "a"}, {"env", {{"", "c"}}}},
                    json{{"command", "a"}, {"env", {{"A", 1}}}},
                    json{{"command", "a"}, {"timeout", "0s"}},
                    json{{"command", "a"}, {"timeout", "soon"}},
                    json{{"command", "a"}, {"wait", "61s"}},
                    json{{"command", "a"}, {"wait", "-1s"}},
                    json{{"command", std::string("a\0b", 3)}},
                    json{{"command", "a"}, {"stdin", "ajar"}}})
    CHECK(!message(body).empty());
}

TEST_CASE("an exec that could not begin says so, and why") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  const json bodies[] = {
    {{"exec_id", "none"}, {"argv", json::array({"/no/such/program"})}},
    {{"exec_id", "closed"}, {"argv", json::array({"./README.md"})}},
    {{"exec_id", "nowhere"}, {"command", "true"}, {"cwd", "missing"}}};
  for (auto& body : bodies) {
    auto refused = session.post("/exec", body);
    INFO(body << to_string(refused));
    CHECK(refused.status == 400);
    auto exec = session.exec(body["exec_id"]);
    CHECK(exec["status"] == "canceled");
    CHECK(exec["reason"] == refused.message());
    CHECK_FALSE(exec.contains("started_at"));
    CHECK_FALSE(exec.contains("exit_code"));
  }
  CHECK(session.exec("none")["reason"]
        == "command not found: /no/such/program");
}

TEST_CASE("a wait for what has happened already is over at once") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  session.run("true");
  auto ran = session.run("exit 3");
  auto canceled = session.start("long", "sleep 1000");
  expect(200, node.admin().remove(session.path("/execs/long")));
  for (auto& exec_id : {ran["exec_id"].get<std::string>(),
                        canceled["exec_id"].get<std::string>()}) {
    auto began = std::chrono::steady_clock::now();
    auto waited =
      expect(200, node.admin().get(session.path("/wait?until=exec:" + exec_id
                                                + ":exited&timeout=2m")))
        .data();
    CHECK(waited["reached"] == true);
    CHECK(waited["exec"]["exec_id"] == exec_id);
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::minutes{1});
  }
}

TEST_CASE("a wait that is too short answers with the running exec") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  auto exec = expect(202, session.post("/exec", {{"command", wait_for("go")},
                                                 {"exec_id", "slow"},
                                                 {"wait", "50ms"}}))
                .data();
  CHECK(exec["status"] == "running");
  CHECK(!exec.contains("exit_code"));
  CHECK(!exec.contains("stdout"));
  CHECK(session.get()["running_execs"] == 1);
  touch(session, "go");
  CHECK(session.await_status("slow", "exited")["exit_code"] == 0);
  CHECK(session.get()["running_execs"] == 0);
}

TEST_CASE("an exec that a signal ends has no exit code") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  for (auto name : {"KILL", "SEGV", "TERM"}) {
    auto exec = session.run("ulimit -c 0; kill -" + std::string{name} + " $$");
    CHECK(exec["status"] == "signaled");
    CHECK(exec["signal"] == name);
    CHECK(exec["reason"]
          == "the signal came from inside the session or from the kernel");
    CHECK(!exec.contains("exit_code"));
  }
}

TEST_CASE("a time-out kills everything that the exec started") {
  node_process node{{.set = {"exec.kill_grace=100ms"}}};
  session_user session{node, json{{"new_branch", "work"}}};
  json exec;
  // A machine that is busy may take longer than the first to come so far.
  for (auto limit : {"300ms", "3s", "30s"}) {
    exec =
      expect(200, session.post("/exec",
                               {{"command", "trap '' TERM; setsid sleep 1000 & "
                                            "echo $!; sleep 1000"},
                                {"timeout", limit},
                                {"wait", "60s"}}))
        .data();
    CHECK(exec["status"] == "timed_out");
    CHECK(!exec.contains("exit_code"));
    if (exec["stdout"] != "")
      break;
  }
  auto pid = pid_in(exec);
  CHECK(eventually([&] { return !is_running(session, pid); }));
}

TEST_CASE("what exceeds the limit waits in line, in order") {
  node_process node{{.set = {"exec.max_concurrent=2", "exec.max_queued=3"}}};
  session_user session{node, json{{"new_branch", "work"}}};
  auto start = [&](const std::string& id, const std::string& command) {
    return session.start(id, command);
  };
  CHECK(start("r1", wait_for("go"))["status"] == "running");
  CHECK(start("r2", wait_for("stop"))["status"] == "running");
  for (int i = 1; i <= 3; ++i) {
    auto id = "q" + std::to_string(i);
    auto exec = start(id, "echo " + id + " >> order");
    CHECK(exec["status"] == "queued");
    CHECK(exec["queue_position"] == i);
  }
  auto full = session.post("/exec", {{"command", "true"}});
  CHECK(full.status == 503);
  CHECK(!full.headers["retry-after"].empty());
  CHECK(session.get()["running_execs"] == 2);

  auto canceled =
    expect(200, node.admin().remove(session.path("/execs/q2"))).data();
  CHECK(canceled["status"] == "canceled");
  CHECK(!canceled.contains("started_at"));
  CHECK(session.exec("q3")["queue_position"] == 2);
  touch(session, "go");
  session.await_status("q3", "exited");
  CHECK(session.exec("q1")["exit_code"] == 0);
  touch(session, "stop");
  session.await_status("r2", "exited");
  CHECK(session.run("cat order")["stdout"] == "q1\nq3\n");
}

TEST_CASE("a running exec is canceled politely, then by force") {
  node_process node{{.set = {"exec.kill_grace=200ms"}}};
  session_user session{node, json{{"new_branch", "work"}}};
  session.start("polite", "trap 'echo bye; exit 7' TERM; echo up; "
                          "while :; do sleep 0.02; done");
  session.start("deaf", "trap '' TERM; echo up; while :; do sleep 0.02; done");
  for (std::string id : {"polite", "deaf"}) {
    await(id + " to be up",
          [&] { return session.exec(id)["stdout_bytes"] == 3; });
    auto done =
      expect(200, node.admin().remove(session.path("/execs/" + id))).data();
    CHECK(done["status"] == "canceled");
  }
  CHECK(session.exec("deaf")["signal"] == "KILL");
  CHECK(session.exec("polite")["stdout_bytes"] == 7);
  // Once more is no fault.
  CHECK(expect(200, node.admin().remove(session.path("/execs/deaf")))
          .data()["status"]
        == "canceled");
  CHECK(node.admin().remove(session.path("/execs/none")).status == 404);
}

TEST_CASE("an exec_id names one exec for good") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  json body{
    {"command", "echo x >> runs"}, {"exec_id", "once"}, {"wait", "60s"}};
  CHECK(expect(200, session.post("/exec", body)).data()["exit_code"] == 0);
  CHECK(expect(200, session.post("/exec", body)).data()["exit_code"] == 0);
  CHECK(session.run("cat runs")["stdout"] == "x\n");
  for (auto change : {json{{"command", "true"}}, json{{"env", {{"A", "b"}}}},
                      json{{"cwd", "src"}}, json{{"timeout", "9s"}}}) {
    auto other = body;
    other.update(change);
    auto reply = session.post("/exec", other);
    CHECK(reply.status == 409);
  }
  CHECK(session.run("cat runs")["stdout"] == "x\n");
}

TEST_CASE("execs are listed newest first, in pages") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  for (std::string id : {"a", "b", "c"})
    session.start(id, "true");
  auto ids = [&](const std::string& query) {
    auto page =
      expect(200, node.admin().get(session.path("/execs" + query))).data();
    std::string result;
    for (auto& exec : page["execs"])
      result += exec["exec_id"].get<std::string>();
    return result
           + (page.contains("next_cursor")
                ? ">" + page["next_cursor"].get<std::string>()
                : "");
  };
  CHECK(ids("") == "cba");
  CHECK(ids("?limit=2") == "cb>b");
  CHECK(ids("?limit=2&cursor=b") == "a");
  CHECK(node.admin().get(session.path("/execs?cursor=x")).status == 400);
  CHECK(node.admin().get(session.path("/execs/none")).status == 404);
}

TEST_CASE("a background server outlives its exec and dies with its session") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  auto pid = pid_in(session.run("sleep 1000 & echo $!"));
  auto apart = pid_in(session.run("setsid nohup sleep 1000 >/dev/null 2>&1 & "
                                  "echo $!"));
  CHECK(session.get()["running_execs"] == 0);
  CHECK(is_running(session, pid));
  // Its environment cannot be read while it is being replaced.
  CHECK(eventually([&] { return is_running(session, apart); }));
  CHECK(session.run("kill -0 " + std::to_string(pid))["exit_code"] == 0);
  expect(200, session.remove());
  CHECK(!is_running(session, pid));
  CHECK(!is_running(session, apart));
}

TEST_CASE("eight commands run at once") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  for (int i = 0; i < 8; ++i) {
    auto exec = session.start("e" + std::to_string(i),
                              "touch here." + std::to_string(i)
                                + "; until [ -e here.7 ]; do sleep 0.02; done");
    // The last one lets all of them go.
    CHECK((i == 7 || exec["status"] == "running"));
  }
  for (int i = 0; i < 8; ++i)
    CHECK(session.await_status("e" + std::to_string(i), "exited")["exit_code"]
          == 0);
}

TEST_CASE("a session's end ends its commands, and says so") {
  node_process node{{.set = {"exec.max_concurrent=1"}}};
  session_user session{node, json{{"new_branch", "work"}}};
  session.start("runs", "echo up; sleep 1000");
  session.start("waits", "true");
  expect(200, session.remove());
  CHECK(session.exec("runs")["status"] == "canceled");
  CHECK(session.exec("waits")["status"] == "canceled");
  auto events =
    session.watch("types=exec.exited,session.ended&from=earliest").rest();
  CHECK(
    types_of(events)
    == std::vector<std::string>{"exec.exited", "exec.exited", "session.ended"});
}
