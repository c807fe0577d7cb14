// What is done to execs and asked about sessions, over real sockets.
#include "runtime/auth/sha256.hpp"
#include "tests/http/asking.hpp"
#include "tests/http/client.hpp"
#include "tests/http/stand_ins.hpp"

#include <caf/send.hpp>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <csignal>
#include <memory>
#include <string>
#include <vector>

using namespace greenroom;
using namespace greenroom::test;
using nlohmann::json;

namespace {

const std::string exec_path = session_path + "/execs/e1";

} // namespace

TEST_CASE("an exec may have an open input and a terminal") {
  fixture f;
  auto path = session_path + "/exec";
  CHECK(post(f, path,
             R"({"command":"sh","stdin":"open","tty":{"rows":24,"cols":80}})")
          .status
        == 202);
  CHECK(f.script->execs[0].spec.stdin_open);
  CHECK(f.script->execs[0].spec.rows == 24);
  CHECK(f.script->execs[0].spec.cols == 80);
  post(f, path, R"({"command":"sh","stdin":"closed","tty":null})");
  CHECK_FALSE(f.script->execs[1].spec.stdin_open);
  CHECK(f.script->execs[1].spec.rows == 0);
  struct {
    const char* body;
    const char* message;
  } const bad[] = {
    {R"({"command":"sh","stdin":"ajar"})", "stdin must be closed or open"},
    {R"({"command":"sh","tty":true})", "tty must be an object"},
    {R"({"command":"sh","tty":{"rows":24}})", "rows and cols are required"},
    {R"({"command":"sh","tty":{"rows":0,"cols":80}})",
     "tty.rows must be a whole number from 1 to 10000"},
    {R"({"command":"sh","tty":{"rows":1,"cols":10001}})",
     "tty.cols must be a whole number from 1 to 10000"},
    {R"({"command":"sh","tty":{"rows":1,"cols":1,"x":1}})",
     "unknown field \"tty.x\""}};
  for (auto& one : bad) {
    auto answer = post(f, path, one.body);
    CHECK(answer.status == 400);
    CHECK(message_of(answer) == one.message);
  }
  CHECK(f.script->execs.size() == 2);
}

TEST_CASE("an exec may be given its input with its start") {
  fixture f;
  auto path = session_path + "/exec";
  auto start = [&](const char* body) {
    CHECK(post(f, path, body).status == 202);
    std::lock_guard lock{f.script->guard};
    return f.script->fed.back();
  };
  auto fed = start(R"({"command":"sort","stdin_text":"b\na\n"})");
  CHECK(fed.by.key_id == "admin");
  CHECK(fed.spec.command == "sort");
  CHECK(fed.spec.exec_id.size() == 20);
  CHECK(fed.spec.stdin_open);
  CHECK(fed.input.view() == "b\na\n");
  CHECK(fed.input_hash == sha256_hex("b\na\n"));
  CHECK(fed.input_ends);
  auto open = start(R"({"command":"sort","stdin_text":"b","stdin":"open"})");
  CHECK(open.spec.stdin_open);
  CHECK_FALSE(open.input_ends);
  auto typed = start(
    R"({"command":"sh","stdin_text":"ls\r","tty":{"rows":24,"cols":80}})");
  CHECK_FALSE(typed.spec.stdin_open);
  CHECK(typed.input.view() == "ls\r");
  CHECK_FALSE(typed.input_ends);
  auto waited =
    post(f, path, R"({"command":"cat","stdin_text":"x","wait":"5s"})");
  CHECK(waited.status == 200);
  CHECK(f.script->fed.back().wait == 5'000);
  // Nothing is nothing.
  CHECK(post(f, path, R"({"command":"sort","stdin_text":""})").status == 202);
  CHECK(f.script->fed.size() == 4);
  CHECK(f.script->execs.size() == 1);
  CHECK_FALSE(f.script->execs.back().spec.stdin_open);
}

TEST_CASE("a session on an older node gets the input behind its exec") {
  fixture f;
  f.script->outdated = true;
  auto path = session_path + "/exec";
  auto start = [&](const char* body) {
    CHECK(post(f, path, body).status == 202);
  };
  start(R"({"command":"sort","stdin_text":"b\na\n"})");
  start(R"({"command":"sort","stdin_text":"b","stdin":"open"})");
  fixture::wait_until([&] {
    std::lock_guard lock{f.script->guard};
    return f.script->inputs.size() == 2;
  });
  const auto& inputs = f.script->inputs;
  CHECK(inputs[0].data.view() == "b\na\n");
  CHECK(inputs[0].exec_id.size() == 20);
  CHECK(inputs[0].exec_id == f.script->execs[0].spec.exec_id);
  CHECK(inputs[0].eof);
  CHECK_FALSE(inputs[1].eof);
}

TEST_CASE("commands and environments have at most 8 MiB") {
  fixture f{[](http::options& o) { o.max_body = 32 << 20; }};
  auto path = session_path + "/exec";
  auto body = [](std::size_t command, std::size_t value) {
    return json{{"command", ": " + std::string(command, '\n')},
                {"env", {{"A", std::string(value, '"')}}}}
      .dump();
  };
  constexpr std::size_t half = 4'000'000;
  CHECK(post(f, path, body(half, half)).status == 202);
  REQUIRE(f.script->execs.size() == 1);
  CHECK(f.script->execs[0].spec.command.size() == half + 2);
  auto refused = post(f, path, body(half, half + 500'000));
  CHECK(refused.status == 400);
  CHECK_THAT(message_of(refused), Catch::Contains("8 MiB"));
  // What is short as text and long in memory is not read.
  std::string many = "{\"argv\":[\"a\"";
  for (int i = 0; i < 200'000; ++i)
    many += ",1";
  CHECK(message_of(post(f, path, many + "]}"))
        == "the request body has more than 200000 values");
}

TEST_CASE("bytes are written to an exec's input as they are") {
  fixture f;
  std::string bytes("\0\xff{no json", 10);
  auto answer = call(f.port(), "POST", exec_path + "/stdin", admin_secret,
                     bytes, "application/octet-stream");
  CHECK(answer.status == 200);
  CHECK(data_of(answer) == json{{"written", 10}, {"eof", false}});
  answer = call(f.port(), "POST", exec_path + "/stdin?eof=1", admin_secret);
  CHECK(data_of(answer) == json{{"written", 0}, {"eof", true}});
  REQUIRE(f.script->inputs.size() == 2);
  CHECK(f.script->inputs[0].data.view() == bytes);
  CHECK_FALSE(f.script->inputs[0].eof);
  CHECK(f.script->inputs[1].data.empty());
  CHECK(f.script->inputs[1].eof);
  CHECK(post(f, exec_path + "/stdin?eof=perhaps", "x").status == 400);
  CHECK(post(f, session_path + "/execs/closed/stdin", "x").status == 409);
}

TEST_CASE("signals go by name or number") {
  fixture f;
  for (auto signal : {"\"INT\"", "\"SIGTERM\"", "9", "\"USR1\"", "64"})
    CHECK(
      post(f, exec_path + "/signal", "{\"signal\":" + std::string{signal} + "}")
        .status
      == 200);
  REQUIRE(f.script->signals.size() == 5);
  CHECK(f.script->signals[0].signal == SIGINT);
  CHECK(f.script->signals[1].signal == SIGTERM);
  CHECK(f.script->signals[2].signal == SIGKILL);
  CHECK(f.script->signals[3].signal == SIGUSR1);
  CHECK(f.script->signals[4].signal == 64);
  for (auto body : {R"({"signal":"NONE"})", R"({"signal":0})",
                    R"({"signal":65})", R"({"signal":1.5})", "{}",
                    R"({"signal":"INT","x":1})", R"({"signal":""})"})
    CHECK(post(f, exec_path + "/signal", body).status == 400);
  CHECK(f.script->signals.size() == 5);
}

TEST_CASE("a terminal gets a new size") {
  fixture f;
  auto answer = post(f, exec_path + "/resize", R"({"rows":50,"cols":100})");
  CHECK(answer.status == 200);
  CHECK(data_of(answer) == json{{"rows", 50}, {"cols", 100}});
  CHECK(f.script->resizes.at(0).exec_id == "e1");
  CHECK(f.script->resizes.at(0).rows == 50);
  CHECK(post(f, exec_path + "/resize", R"({"rows":50})").status == 400);
  CHECK(post(f, exec_path + "/resize", R"({"rows":0,"cols":1})").status == 400);
}

TEST_CASE("changes of execs need the scope for it") {
  fixture f;
  auto reader = f.add_key({"sessions:read"});
  for (auto path : {"/stdin", "/signal", "/resize"})
    CHECK(call(f.port(), "POST", exec_path + path, reader, "{}").status == 403);
  CHECK(call(f.port(), "POST", session_path + "/clone-token", reader).status
        == 403);
  CHECK(f.script->inputs.empty());
}

TEST_CASE("a create answers with what git needs") {
  fixture f{[](http::options& o) { o.public_url = "https://green.example"; }};
  auto made =
    data_of(post(f, "/projects/demo/sessions", R"({"new_branch":"it's"})"));
  auto url = made["auth_clone_url"].get<std::string>();
  CHECK(url
        == "https://session:gr_token_1@green.example/git/demo/"
             + std::string{demo_session} + ".git");
  CHECK(made["branch"] == "it's");
  CHECK(made["instructions"].get<std::string>().starts_with(
    "git clone --branch 'it'\\''s' '" + url + "' 'demo'\n"));
}

TEST_CASE("the clone token is rotated on request") {
  fixture f;
  for (auto body : {"", "{}"}) {
    auto answer = post(f, session_path + "/clone-token", body);
    CHECK(answer.status == 200);
    CHECK(data_of(answer)["id"] == std::string{demo_session});
    CHECK(data_of(answer)["auth_clone_url"].get<std::string>().find(
            "session:gr_token_" + std::to_string(f.script->tokens) + "@")
          != std::string::npos);
  }
  CHECK(f.script->tokens == 2);
  CHECK(post(f, session_path + "/clone-token", R"({"x":1})").status == 400);
}

TEST_CASE("a check-in says what became of review and merge") {
  fixture f;
  auto path = session_path + "/checkin";
  f.script->checked_in = checkin_reply{std::string{demo_session},
                                       session_status::ended,
                                       std::string(40, 'c'),
                                       "topic",
                                       std::string(20, 'r'),
                                       "queued",
                                       {},
                                       {}};
  auto queued = data_of(post(f, path, R"({"auto_merge":true})"));
  CHECK(f.script->checkins.at(0).auto_merge);
  CHECK(queued["review_task_id"] == std::string(20, 'r'));
  CHECK(queued["message"] == "Session ended. Review task queued.");
  CHECK(queued["merge"] == json{{"status", "queued"}});
  f.script->checked_in->merge = "conflict";
  f.script->checked_in->files = {"a", "b"};
  auto merged =
    data_of(post(f, path, R"({"auto_merge":true,"skip_review":true})"));
  CHECK_FALSE(merged.contains("review_task_id"));
  CHECK(merged["message"] == "Session ended. Preview removed, token revoked.");
  CHECK(merged["merge"] == json{{"status", "conflict"}, {"files", {"a", "b"}}});
}

TEST_CASE("git answers about a session") {
  fixture f;
  CHECK(data_of(get(f, session_path + "/git"))["branch"] == "topic");
  auto diff = get(f, session_path + "/diff");
  CHECK(diff.status == 200);
  CHECK(diff.headers["content-type"] == "text/plain; charset=utf-8");
  CHECK(diff.body == "diff --git a/x b/x\n");
  CHECK(get(f, session_path + "/mergeability").status == 200);
  CHECK(get(f, session_path + "/mergeability?target=release").status == 200);
  CHECK(get(f, session_path + "/mergeability?target=a..b").status == 400);
  REQUIRE(f.script->questions.size() == 4);
  CHECK(f.script->questions[0].what == git_question::state);
  CHECK(f.script->questions[1].what == git_question::diff);
  CHECK(f.script->questions[2].target.empty());
  CHECK(f.script->questions[3].target == "release");
}

TEST_CASE("a wait ends when the exec has exited") {
  fixture f;
  auto over = data_of(get(f, session_path + "/wait?until=exec:e1:exited"));
  CHECK(over["reached"] == true);
  CHECK(over["exec"]["exec_id"] == "e1");

  auto running = [&](bool yes) {
    std::lock_guard lock{f.script->guard};
    if (yes)
      f.script->running.insert("e1");
    else
      f.script->running.erase("e1");
  };
  running(true);
  http_client client{f.port()};
  client.send(
    request_text("GET", session_path + "/wait?until=exec:e1:exited&timeout=1m",
                 admin_secret));
  fixture::wait_until([&] { return f.script->watchers == 1; });
  caf::anon_send(f.session, publish{event_kind::exec_output, "e1", "{}"});
  caf::anon_send(f.session, publish{event_kind::exec_exited, "e2", "{}"});
  CHECK_FALSE(client.has_answer(std::chrono::milliseconds{50}));
  running(false);
  caf::anon_send(f.session, publish{event_kind::exec_exited, "e1", "{}"});
  auto answer = data_of(client.receive());
  CHECK(answer["reached"] == true);
  CHECK(answer["exec"]["exec_id"] == "e1");
  fixture::wait_until([&] { return f.script->watchers == 0; });
}

TEST_CASE("a wait misses no end while its session crashes") {
  fixture f;
  {
    std::lock_guard lock{f.script->guard};
    f.script->running.insert("e1");
  }
  http_client client{f.port()};
  client.send(
    request_text("GET", session_path + "/wait?until=exec:e1:exited&timeout=1m",
                 admin_secret));
  fixture::wait_until([&] { return f.script->watchers == 1; });
  auto old = f.session;
  f.forget("e1"); // and nobody hears of it
  f.make_session();
  caf::anon_send(old, quit_now{});
  CHECK(data_of(client.receive())["reached"] == true);
}

TEST_CASE("waits, terminals and event streams of a session share one watcher") {
  fixture f;
  {
    std::lock_guard lock{f.script->guard};
    f.script->running = {"e1", "t"};
    f.script->terminals.insert("t");
  }
  f.exec_dir("t");
  auto send = [&](const std::string& what, const std::string& headers = {}) {
    auto client = std::make_unique<http_client>(f.port());
    client->send(
      request_text("GET", session_path + what, admin_secret, "", "", headers));
    return client;
  };
  auto stream = send("/events");
  CHECK(stream->receive_head().status == 200);
  auto terminal =
    send("/execs/t/attach", "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                            "Sec-WebSocket-Version: 13\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
  CHECK(terminal->receive_head().status == 101);
  std::vector<std::unique_ptr<http_client>> waits;
  for (auto what : {"exec:e1:exited", "port:3000", "ended"})
    waits.push_back(send("/wait?timeout=1m&until=" + std::string{what}));
  for (auto& one : waits)
    CHECK_FALSE(one->has_answer(std::chrono::milliseconds{20}));
  CHECK(f.script->watchers == 1);
  caf::anon_send(f.session, publish{event_kind::session_ended, "", "{}"});
  for (auto& one : waits)
    CHECK(one->receive().status == 200);
  stream->read_stream_until("session.ended");
  fixture::wait_until([&] { return f.script->watchers == 0; });
}

TEST_CASE("a wait ends with its time, or with the session") {
  fixture f;
  {
    std::lock_guard lock{f.script->guard};
    f.script->running.insert("live");
  }
  auto late = get(f, session_path + "/wait?until=ended&timeout=50ms");
  CHECK(late.status == 200);
  CHECK(data_of(late)["reached"] == false);
  CHECK(data_of(late)["until"] == "ended");
  CHECK(data_of(late)["session"]["id"] == std::string{demo_session});
  http_client client{f.port()};
  client.send(
    request_text("GET", session_path + "/wait?until=ended", admin_secret));
  fixture::wait_until([&] { return f.script->watchers == 1; });
  caf::anon_send(f.session, publish{event_kind::session_ended, "", "{}"});
  CHECK(data_of(client.receive())["reached"] == true);
  CHECK(data_of(get(f, session_path + "/wait?until=ended"))["reached"] == true);
}

TEST_CASE("a wait for the setup ends with it, at once where there is none") {
  fixture f;
  auto none = data_of(get(f, session_path + "/wait?until=setup:done"));
  CHECK(none["until"] == "setup:done");
  CHECK(none["reached"] == true);
  CHECK(none["session"]["id"] == std::string{demo_session});
  {
    std::lock_guard lock{f.script->guard};
    f.script->running.insert("setup");
  }
  auto late =
    data_of(get(f, session_path + "/wait?until=setup:done&timeout=50ms"));
  CHECK(late["reached"] == false);
  CHECK(late.contains("exec"));
  http_client client{f.port()};
  client.send(
    request_text("GET", session_path + "/wait?until=setup:done", admin_secret));
  fixture::wait_until([&] { return f.script->watchers == 1; });
  caf::anon_send(f.session, publish{event_kind::exec_exited, "setup", "{}"});
  CHECK(data_of(client.receive())["reached"] == true);
}

TEST_CASE("a wait for a port ends when it is listened on") {
  fixture f;
  auto listens = [&](std::vector<listening_port> ports) {
    std::lock_guard lock{f.script->guard};
    f.script->ports = std::move(ports);
  };
  http_client client{f.port()};
  client.send(
    request_text("GET", session_path + "/wait?until=port:3000", admin_secret));
  fixture::wait_until([&] { return f.script->watchers == 1; });
  listens({{5173, "127.0.0.1", "node", "e1"}});
  caf::anon_send(f.session, publish{event_kind::port_opened, "", "{}"});
  CHECK_FALSE(client.has_answer(std::chrono::milliseconds{50}));
  listens({{3000, "0.0.0.0", "node", "e1"}});
  caf::anon_send(f.session, publish{event_kind::port_opened, "", "{}"});
  auto answer = data_of(client.receive());
  CHECK(answer["reached"] == true);
  CHECK(answer["ports"][0]["process"] == "node");
  // At once where it is there already.
  CHECK(data_of(get(f, session_path + "/wait?until=port:3000"))["reached"]
        == true);
  auto late =
    data_of(get(f, session_path + "/wait?until=port:3001&timeout=50ms"));
  CHECK(late["reached"] == false);
  CHECK(late["ports"].size() == 1);
}

TEST_CASE("a wait for a port is over with its session") {
  fixture f;
  http_client client{f.port()};
  client.send(
    request_text("GET", session_path + "/wait?until=port:3000", admin_secret));
  fixture::wait_until([&] { return f.script->watchers == 1; });
  caf::anon_send(f.session, publish{event_kind::session_ended, "", "{}"});
  CHECK(data_of(client.receive())["reached"] == false);
}

TEST_CASE("a wait for what cannot come is refused") {
  fixture f;
  auto message = [&](const std::string& query) {
    auto answer = get(f, session_path + "/wait?" + query);
    CHECK(answer.status == 400);
    return message_of(answer);
  };
  CHECK(message("")
        == "until must be exec:EID:exited, setup:done, port:N, preview:ready, "
           "review:finished or ended");
  CHECK(message("until=exec::exited")
        == "until must be exec:EID:exited, setup:done, port:N, preview:ready, "
           "review:finished or ended");
  CHECK(message("until=port:0") == "a port is a number from 1 to 65535");
  CHECK(message("until=port:http") == "a port is a number from 1 to 65535");
  CHECK(message("until=ended&timeout=0")
        == "timeout must be a valid duration (e.g., 30s)");
  CHECK(message("until=ended&timeout=1h") == "timeout cannot exceed 3m");
  CHECK(get(f, session_path + "/wait?until=exec:none:exited").status == 404);
}

TEST_CASE("a client that leaves ends its wait") {
  fixture f;
  http_client client{f.port()};
  client.send(
    request_text("GET", session_path + "/wait?until=ended", admin_secret));
  fixture::wait_until([&] { return f.script->watchers == 1; });
  client.drop();
  fixture::wait_until([&] { return f.script->watchers == 0; });
}

TEST_CASE("keys may name the author of their commits") {
  fixture f;
  auto body = [](const std::string& author) {
    return json{
      {"name", "ci"}, {"scopes", {"sessions:read"}}, {"author", author}}
      .dump();
  };
  CHECK(post(f, "/keys", body("Ada Lovelace <ada@example.org>")).status == 201);
  CHECK(post(f, "/keys", body("")).status == 201);
  for (auto author :
       {"Ada", "<ada@example.org>", "Ada <ada>", "Ada <a@b> c", "Ada<a@b>",
        "A <<a@b>", "A\n <a@b>", "A <a b@c>", "A> <a@b>"}) {
    CAPTURE(author);
    auto answer = post(f, "/keys", body(author));
    CHECK(answer.status == 400);
    CHECK(message_of(answer)
          == "author must have the form Name <mail@example.org>");
  }
}

TEST_CASE("a ready node says what it does without") {
  fixture f;
  CHECK(data_of(get(f, "/readyz")) == json{{"status", "ready"}});
  f.warnings = {"memory is not limited"};
  CHECK(data_of(get(f, "/readyz"))["warnings"]
        == json{"memory is not limited"});
  f.warnings = {"\"/var/lib/x\" is full (see /proc/1/x), mode=/a/b; and/or"};
  CHECK(data_of(get(f, "/readyz"))["warnings"] == f.warnings);
  // Strangers need not know where things lie on this machine.
  CHECK(data_of(call(f.port(), "GET", "/readyz"))["warnings"]
        == json{"\"…\" is full (see …), mode=…; and/or"});
}

TEST_CASE("an invalid project id is named before the key's projects") {
  fixture f;
  auto key = f.add_key({"sessions:read"}, {"demo"});
  auto answer = call(f.port(), "GET", "/projects/No/sessions", key);
  CHECK(answer.status == 400);
  CHECK(message_of(answer) == "invalid project id");
  CHECK(call(f.port(), "GET", "/projects/other/sessions", key).status == 404);
}
