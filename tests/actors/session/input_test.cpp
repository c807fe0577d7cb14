// What commands are fed: standard input, terminals, signals.
#include "tests/actors/session/requests.hpp"
#include "tests/actors/small_node.hpp"

#include "runtime/auth/sha256.hpp"
#include "runtime/base/files.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <string>

using namespace greenroom;
using greenroom::test::json_of;
using greenroom::test::on_branch;
using greenroom::test::shell;
using greenroom::test::small_node;

namespace {

start_exec reading(std::string id, std::string command, millis wait = 0) {
  auto request = shell(std::move(command), wait);
  request.spec.exec_id = std::move(id);
  request.spec.stdin_open = true;
  return request;
}

write_input bytes(std::string id, std::string text, bool eof = false) {
  return {std::move(id), shared_text{std::move(text)}, eof};
}

// With a first input; the kind that ends behind it, where that `ends`.
start_fed_exec fed(std::string id, std::string command, std::string text,
                   bool ends = false) {
  auto plain = reading(std::move(id), std::move(command));
  auto hash = sha256_hex(text);
  return {{},  std::move(plain.spec), 0, shared_text{std::move(text)}, hash,
          ends};
}

struct fed_session {
  small_node node;
  session_record session = node.create(on_branch("work"));
  session_actor handle = node.find(session);

  nlohmann::json exec(const start_exec& request) {
    return json_of(node.ask<exec_view>(handle, request));
  }
  nlohmann::json exec(const start_fed_exec& request) {
    return json_of(node.ask<exec_view>(handle, request));
  }
  // The same request is the same exec: this one waits for its end.
  template <class Request>
  nlohmann::json end_of(Request request) {
    request.wait = 60'000;
    return exec(request);
  }
  void let_go() {
    write_file_atomic(node.context()->session_dir(session.id) / "checkout"
                        / "go",
                      "", 0600, false);
  }
  void feed(const write_input& what) {
    node.ask<done>(handle, what);
  }
};

} // namespace

TEST_CASE_METHOD(fed_session,
                 "bytes reach a command in the order in which they "
                 "are sent, and it sees their end") {
  auto request = reading("a", "cat");
  CHECK(exec(request)["stdin"] == "open");
  std::string all;
  for (int i = 0; i < 50; ++i) {
    auto line = std::to_string(i) + "\n";
    feed(bytes("a", line));
    all += line;
  }
  feed(bytes("a", "", true));
  auto end = end_of(request);
  CHECK(end["status"] == "exited");
  CHECK(end["stdout"] == all);
  CHECK(node.refused_by<done>(handle, bytes("a", "late"))
        == refusal{errc::conflict, "the exec has ended"});
}

TEST_CASE_METHOD(fed_session, "more than a pipe holds is written as it is "
                              "read") {
  auto request = reading("a", "until [ -e go ]; do sleep 0.01; done; wc -c");
  exec(request);
  caf::scoped_actor self{node.system()};
  auto written = self->request(handle, test::timeout,
                               bytes("a", std::string(3'000'000, 'x'), true));
  // Nobody else waits for it.
  CHECK(node.ask<session_view>(handle, get_session{}).json.size() > 0);
  CHECK(node.refused_by<done>(handle, bytes("a", "more")).code
        == errc::conflict);
  write_file_atomic(node.context()->session_dir(session.id) / "checkout" / "go",
                    "", 0600, false);
  bool was_written = false;
  written.receive([&](done) { was_written = true; }, [](const caf::error&) {});
  CHECK(was_written);
  CHECK(end_of(request)["stdout"] == "3000000\n");
}

TEST_CASE_METHOD(fed_session, "who writes to a command that ends without "
                              "reading is told so") {
  auto request = reading("a", "until [ -e go ]; do sleep 0.01; done");
  exec(request);
  caf::scoped_actor self{node.system()};
  auto written = self->request(handle, test::timeout,
                               bytes("a", std::string(1'000'000, 'x')));
  CHECK(
    node.refused_by<done>(handle, bytes("a", std::string(4'000'000, 'x'))).code
    == errc::overloaded);
  write_file_atomic(node.context()->session_dir(session.id) / "checkout" / "go",
                    "", 0600, false);
  std::optional<refusal> why;
  written.receive([](done) {},
                  [&](const caf::error& e) { why = to_refusal(e); });
  REQUIRE(why);
  CHECK(why->code == errc::conflict);
  CHECK(end_of(request)["status"] == "exited");
}

TEST_CASE_METHOD(fed_session, "input that comes before its command has started "
                              "waits for it") {
  for (auto id : {"x", "y"}) // all that may run at once
    exec(reading(id, "cat"));
  auto request = reading("late", "cat");
  CHECK(exec(request)["status"] == "queued");
  caf::scoped_actor self{node.system()};
  auto first = self->request(handle, test::timeout, bytes("late", "one\n"));
  auto last = self->request(handle, test::timeout, bytes("late", "two", true));
  feed(bytes("x", "", true));
  int written = 0;
  for (auto* each : {&first, &last})
    each->receive([&](done) { ++written; }, [](const caf::error&) {});
  CHECK(written == 2);
  CHECK(end_of(request)["stdout"] == "one\ntwo");
}

TEST_CASE_METHOD(fed_session, "input is refused where there is none to write "
                              "to, in words") {
  auto closed = shell("until [ -e go ]; do sleep 0.01; done", 0);
  closed.spec.exec_id = "closed";
  exec(closed);
  auto why = node.refused_by<done>(handle, bytes("closed", "x"));
  CHECK(why.code == errc::bad_request);
  CHECK(why.message.find("\"stdin\": \"open\"") != std::string::npos);
  CHECK(node.refused_by<done>(handle, bytes("nobody", "x"))
        == refusal{errc::not_found, "exec not found"});
  CHECK(node.refused_by<done>(handle, resize_exec{"closed", 1, 1}).code
        == errc::bad_request);
}

TEST_CASE_METHOD(fed_session, "a terminal has the size that it is given, and "
                              "keys reach it") {
  auto request = shell("stty size; read x; stty size; echo got $x", 0);
  request.spec.exec_id = "tty";
  request.spec.rows = 24;
  request.spec.cols = 80;
  auto started = exec(request);
  CHECK(started["tty"] == nlohmann::json{{"rows", 24}, {"cols", 80}});
  test::await("the first size", [&] {
    return json_of(node.ask<exec_view>(handle, get_exec{"tty"}))["stdout_bytes"]
           > 0;
  });
  node.ask<done>(handle, resize_exec{"tty", 50, 100});
  const nlohmann::json resized{{"rows", 50}, {"cols", 100}};
  CHECK(json_of(node.ask<exec_view>(handle, get_exec{"tty"}))["tty"]
        == resized);
  feed(bytes("tty", "hi\n"));
  auto end = end_of(request);
  CHECK(end["exit_code"] == 0);
  CHECK(end["tty"] == resized);
  auto shown = end["stdout"].get<std::string>();
  CHECK(shown.find("24 80") == 0);
  CHECK(shown.find("50 100") != std::string::npos);
  CHECK(shown.find("got hi") != std::string::npos);
}

TEST_CASE_METHOD(fed_session, "what is sent before the runner is found again "
                              "is not lost") {
  auto request = reading("a", "trap 'echo caught' INT; echo ready; read x; "
                              "until read y; do :; done; echo $x$y");
  exec(request);
  auto printed = [&](std::uint64_t count) {
    test::await("output", [&] {
      auto now = json_of(node.ask<exec_view>(handle, get_exec{"a"}));
      return now["stdout_bytes"] >= count;
    });
  };
  printed(6);
  feed(bytes("a", "one\n"));
  node.restart();
  handle = node.find(session);
  node.ask<exec_view>(handle, signal_exec{"a", SIGINT});
  printed(13);
  node.restart();
  handle = node.find(session);
  feed(bytes("a", "two\n"));
  CHECK(end_of(request)["stdout"] == "ready\ncaught\nonetwo\n");
}

TEST_CASE_METHOD(fed_session, "a signal reaches a command that runs") {
  auto request = shell("trap 'exit 7' INT; echo ready; while :; do sleep 0.01; "
                       "done",
                       0);
  request.spec.exec_id = "a";
  exec(request);
  test::await("the trap", [&] {
    return json_of(node.ask<exec_view>(handle, get_exec{"a"}))["stdout_bytes"]
           > 0;
  });
  auto sent = json_of(node.ask<exec_view>(handle, signal_exec{"a", SIGINT}));
  CHECK(sent["exec_id"] == "a");
  CHECK(end_of(request)["exit_code"] == 7);
  CHECK(node.refused_by<exec_view>(handle, signal_exec{"a", SIGINT}).code
        == errc::conflict);
}

TEST_CASE_METHOD(fed_session, "a first input is fed once, however often it is "
                              "asked for") {
  auto request = fed("a", "cat; echo end", "text\n");
  for (int i = 0; i < 3; ++i)
    CHECK(exec(request)["status"] == "running");
  handle = test::crash(node, session);
  exec(request);
  node.restart();
  handle = node.find(session);
  exec(request);
  feed(bytes("a", "more\n", true));
  auto end = end_of(request);
  CHECK(end["stdout"] == "text\nmore\nend\n");
  CHECK(exec(request)["status"] == "exited");
  auto all = fed("b", "cat; echo end", "all\n", true);
  exec(all);
  CHECK(end_of(all)["stdout"] == "all\nend\n");
}

TEST_CASE_METHOD(fed_session, "another first input makes another exec") {
  auto request = fed("a", "cat", "text\n");
  exec(request);
  for (bool crashed : {false, true}) {
    if (crashed)
      handle = test::crash(node, session);
    for (auto& other :
         {fed("a", "cat", "other\n"), fed("a", "cat", "text\n", true)})
      CHECK(node.refused_by<exec_view>(handle, other).code
            == errc::exec_exists);
    CHECK(node.refused_by<exec_view>(handle, reading("a", "cat")).code
          == errc::exec_exists);
    CHECK(exec(request)["exec_id"] == "a");
  }
  feed(bytes("a", "", true));
  CHECK(end_of(request)["stdout"] == "text\n");
}

TEST_CASE_METHOD(fed_session, "what is sent behind a first input comes behind "
                              "it") {
  auto request =
    fed("a",
        "until [ -e go ]; do sleep 0.01; done; head -c 3000000 >/dev/null; cat",
        std::string(3'000'000, 'x'));
  exec(request);
  caf::scoped_actor self{node.system()};
  auto written =
    self->request(handle, test::timeout, bytes("a", "behind", true));
  let_go();
  bool was_written = false;
  written.receive([&](done) { was_written = true; }, [](const caf::error&) {});
  CHECK(was_written);
  CHECK(end_of(request)["stdout"] == "behind");
  auto all = fed("b", "until [ -e stop ]; do sleep 0.01; done", "all", true);
  exec(all);
  CHECK(node.refused_by<done>(handle, bytes("b", "more")).code
        == errc::conflict);
}

TEST_CASE_METHOD(fed_session, "a first input waits in line with its command, "
                              "over restarts") {
  for (auto id : {"x", "y"}) // all that may run at once
    exec(reading(id, "cat"));
  auto request = fed("late", "cat", std::string(300'000, 'x') + "one\n");
  CHECK(exec(request)["status"] == "queued");
  node.restart();
  handle = node.find(session);
  CHECK(exec(request)["status"] == "queued");
  auto file = node.context()->session_dir(session.id) / "exec/late/stdin";
  CHECK(std::filesystem::file_size(file) == 300'004);
  feed(bytes("x", "", true));
  test::await("the command",
              [&] { return exec(request)["status"] == "running"; });
  CHECK_FALSE(std::filesystem::exists(file));
  feed(bytes("late", "two\n", true));
  auto shown = end_of(request)["stdout"].get<std::string>();
  CHECK(shown == std::string(300'000, 'x') + "one\ntwo\n");
}

TEST_CASE_METHOD(fed_session, "a first input is typed at a terminal, which "
                              "stays open") {
  auto request =
    fed("tty", "read x; echo got $x; read y; echo more $y", "hi\n");
  request.spec.stdin_open = false;
  request.spec.rows = 24;
  request.spec.cols = 80;
  exec(request);
  feed(bytes("tty", "ho\n"));
  auto shown = end_of(request)["stdout"].get<std::string>();
  CHECK(shown.find("got hi") != std::string::npos);
  CHECK(shown.find("more ho") != std::string::npos);
}
