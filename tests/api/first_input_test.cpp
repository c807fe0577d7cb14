// What a command is fed with its start is a part of it: written down with it,
// and fed once, whoever asks again and whatever dies.
#include "tests/api/demo.hpp"

#include <fstream>
#include <future>

using namespace greenroom::test;
namespace fs = std::filesystem;

namespace {

json fed(const std::string& exec_id, const std::string& text) {
  return {{"command", "cat"},
          {"exec_id", exec_id},
          {"stdin", "open"},
          {"stdin_text", text}};
}

void end_input(const node_process& node, const session_user& session,
               const std::string& exec_id, const std::string& last = {}) {
  expect(200, node.admin().send(
                "POST", session.path("/execs/" + exec_id + "/stdin?eof=true"),
                last, "application/octet-stream"));
}

std::string output(const node_process& node, const session_user& session,
                   const std::string& exec_id) {
  CHECK(session.await_status(exec_id, "exited")["exit_code"] == 0);
  return node.admin().get(session.path("/execs/" + exec_id + "/output")).body;
}

std::vector<http_reply> ask_at_once(const node_process& node,
                                    const session_user& session,
                                    const json& body) {
  std::vector<std::future<http_reply>> asked;
  for (int i = 0; i < 8; ++i)
    asked.push_back(
      std::async(std::launch::async, [client = node.admin(), &session, body] {
        return client.post(session.path("/exec"), body);
      }));
  std::vector<http_reply> result;
  for (auto& each : asked)
    result.push_back(each.get());
  return result;
}

} // namespace

TEST_CASE("a command that many ask for at once is fed once") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  for (auto& reply : ask_at_once(node, session, fed("a", "once\n"))) {
    INFO(to_string(reply));
    CHECK(reply.status == 202);
    CHECK(reply.data()["exec_id"] == "a");
  }
  expect_refusal(session.post("/exec", fed("a", "twice\n")), 409, "EXEC_EXISTS",
                 "exec_id \"a\" names another exec of this session; choose "
                 "another exec_id or leave it out");
  end_input(node, session, "a", "behind\n");
  CHECK(output(node, session, "a") == "once\nbehind\n");
  // It may come again later, too.
  CHECK(session.post("/exec", fed("a", "once\n")).data()["status"] == "exited");

  json typed{{"command", "read x; echo got-$x; read y; echo then-$y"},
             {"exec_id", "t"},
             {"stdin_text", "one\n"},
             {"tty", {{"rows", 24}, {"cols", 80}}}};
  for (auto& reply : ask_at_once(node, session, typed))
    CHECK(reply.status == 202);
  end_input(node, session, "t", "two\n");
  session.await_status("t", "exited");
  auto shown =
    node.admin().get(session.path("/execs/t/output?stream=tty")).body;
  INFO(shown);
  CHECK(shown.find("got-one") != std::string::npos);
  CHECK(shown.find("then-two") != std::string::npos);
}

TEST_CASE("a node that dies before it starts a command feeds it afterwards") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  start_with_failpoint(node, "exec.kept");
  auto text = std::string(3'000'000, 'x') + "\n";
  auto longest = fed("a", text);
  CHECK(is_cut_off([&] { return session.post("/exec", longest); }));
  node.kill9();
  auto kept =
    node.data_dir() / "sessions" / session.id() / "exec" / "a" / "stdin";
  CHECK(fs::file_size(kept) == text.size());
  node.start();
  session.await_status("a", "running");
  CHECK_FALSE(fs::exists(kept));
  CHECK(session.post("/exec", longest).status == 202);
  end_input(node, session, "a");
  CHECK(output(node, session, "a") == text);
}

TEST_CASE("a command is fed no second time by the next node") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  auto waits = fed("a", std::string(1'000'000, 'x'));
  waits["command"] = "until [ -e go ]; do sleep 0.02; done; cat";
  expect(202, session.post("/exec", waits));
  // In the middle of it.
  node.kill9();
  node.start();
  CHECK(session.post("/exec", waits).status == 202);
  std::ofstream{session.checkout() / "go"} << "";
  end_input(node, session, "a", "end");
  CHECK(output(node, session, "a") == std::string(1'000'000, 'x') + "end");

  json all{{"argv", {"sort"}}, {"stdin_text", "b\na\n"}, {"wait", "60s"}};
  auto sorted = expect(200, session.post("/exec", all)).data();
  CHECK(sorted["stdout"] == "a\nb\n");
  auto late = node.admin().send(
    "POST",
    session.path("/execs/" + sorted["exec_id"].get<std::string>() + "/stdin"),
    "c\n", "application/octet-stream");
  CHECK(late.status == 409);
}
