// Terminals and standard input of the real program: keys, sizes, several
// viewers over WebSockets, and a node that dies meanwhile.
#include "tests/api/demo.hpp"
#include "tests/support/sockets.hpp"

#include <cstdint>
#include <string>

using namespace greenroom::test;

namespace {

/// A client that is attached to a terminal.
class viewer {
public:
  viewer(const node_process& node, const std::string& path,
         const std::string& key)
    : socket_(connect_to(node.port())) {
    send_all(socket_,
             "GET " + path
               + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + key
               + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                 "Sec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    while (in_.find("\r\n\r\n") == std::string::npos)
      REQUIRE(receive(socket_, in_, 1));
    INFO(in_);
    REQUIRE(in_.starts_with("HTTP/1.1 101"));
    in_.clear();
  }

  void type(const std::string& keys) {
    send_frame(0x82, keys);
  }
  void resize(unsigned rows, unsigned cols) {
    send_frame(0x81, json{{"rows", rows}, {"cols", cols}}.dump());
  }

  /// What the terminal shows, once it has `wanted`, and `then` after it.
  std::string shown(const std::string& wanted, const std::string& then = "") {
    for (;;) {
      auto at = seen_.find(wanted);
      if (at != std::string::npos
          && seen_.find(then, at + wanted.size()) != std::string::npos)
        return seen_;
      next();
    }
  }

private:
  void send_frame(unsigned kind, const std::string& payload) {
    REQUIRE(payload.size() < 126);
    std::string bytes{static_cast<char>(kind),
                      static_cast<char>(0x80 | payload.size())};
    bytes.append(4, '\0'); // a mask that changes nothing
    send_all(socket_, bytes + payload);
  }

  std::string take(std::size_t count) {
    std::string result;
    while (result.size() < count)
      REQUIRE(receive(socket_, result, count - result.size()));
    return result;
  }

  void next() {
    auto head = take(2);
    std::size_t size = static_cast<unsigned char>(head[1]);
    if (size >= 126) {
      auto more = take(size == 126 ? 2 : 8);
      size = 0;
      for (auto c : more)
        size = size << 8 | static_cast<unsigned char>(c);
    }
    auto payload = take(size);
    auto kind = static_cast<unsigned char>(head[0]) & 0x0f;
    INFO("closed: " << payload << "; shown: " << seen_);
    REQUIRE(kind != 8);
    if (kind == 2)
      seen_ += payload;
  }

  greenroom::unique_fd socket_;
  std::string in_;
  std::string seen_;
};

std::string attach_path(const session_user& session) {
  return session.path("/execs/t/attach");
}

void start_terminal(const session_user& session, const std::string& command) {
  expect(202, session.post("/exec", {{"command", command},
                                     {"exec_id", "t"},
                                     {"tty", {{"rows", 24}, {"cols", 80}}}}));
}

} // namespace

TEST_CASE("a terminal is a real one, for all who look at it") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  start_terminal(session, "PS1='> ' exec bash --norc --noprofile -i");
  auto path = attach_path(session);
  viewer one{node, path, node.admin_key()};
  viewer two{node, path, node.admin_key()};
  one.type("echo $((6 * 7)) $TERM; tty\n");
  CHECK_THAT(one.shown("/dev/pts/"), Catch::Contains("42 xterm-256color"));
  CHECK_THAT(two.shown("/dev/pts/"), Catch::Contains("42 xterm-256color"));
  two.resize(50, 132);
  two.type("stty size\n");
  one.shown("50 132");
  // Job control: the third key ends what runs in the foreground, and no more.
  one.type("sh -c 'echo $((6 * 6))-; exec sleep 1000'\n");
  one.shown("36-");
  // Readline drops what comes while it starts over, so that is waited for.
  one.type("\x03");
  one.shown("^C", "> ");
  one.type("echo alive-$((1 + 1))\n");
  one.shown("alive-2");

  auto reader =
    expect(201, node.admin().post(
                  "/keys", {{"name", "reader"}, {"scopes", {"sessions:read"}}}))
      .data()["key"]
      .get<std::string>();
  viewer late{node, path, reader};
  late.shown("alive-2");

  // It outlives the node.
  node.kill9();
  node.start();
  viewer after{node, path, node.admin_key()};
  after.shown("alive-2");
  after.type("echo back-$((2 + 2))\n");
  after.shown("back-4");
  after.type("exit 5\n");
  CHECK(session.await_status("t", "exited")["exit_code"] == 5);
}

TEST_CASE("standard input is written and ended by requests") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  expect(202,
         session.post(
           "/exec", {{"argv", {"sort"}}, {"exec_id", "s"}, {"stdin", "open"}}));
  auto feed = [&](const std::string& text, const std::string& query) {
    return node.admin().send("POST", session.path("/execs/s/stdin" + query),
                             text, "application/octet-stream");
  };
  CHECK(expect(200, feed("b\n", "")).data()["written"] == 2);
  node.kill9();
  node.start();
  expect(200, feed("a\n", "?eof=true"));
  CHECK(session.await_status("s", "exited")["exit_code"] == 0);
  CHECK(node.admin().get(session.path("/execs/s/output")).body == "a\nb\n");
  CHECK(feed("c\n", "").status == 409);
}

TEST_CASE("the end of a terminal's input finishes what it was fed with") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  expect(202, session.post("/exec", {{"argv", {"cat"}},
                                     {"exec_id", "t"},
                                     {"tty", {{"rows", 24}, {"cols", 80}}},
                                     {"stdin_text", "unfinished"}}));
  expect(200, node.admin().send("POST", session.path("/execs/t/stdin?eof=true"),
                                "", "application/octet-stream"));
  CHECK(session.await_status("t", "exited")["exit_code"] == 0);
}

TEST_CASE("a signal ends what it names, also right after a restart") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  session.start("s",
                "trap 'exit 9' HUP; echo up; while :; do sleep 0.02; done");
  await("the trap", [&] { return session.exec("s")["stdout_bytes"] == 3; });
  node.kill9();
  node.start();
  expect(200, session.post("/execs/s/signal", {{"signal", "HUP"}}));
  CHECK(session.await_status("s", "exited")["exit_code"] == 9);
}
