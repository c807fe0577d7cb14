// What a hostile tenant does with connections, and on them.
#include "tests/soak/hostile/hostile_tenant.hpp"
#include "tests/soak/size.hpp"
#include "tests/support/sockets.hpp"

#include <sys/socket.h>

#include <string>
#include <utility>
#include <vector>

namespace greenroom::test {

void hostile_tenant::half_requests() {
  const std::string body =
    "POST " + sessions
    + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 62000\r\n";
  const std::string git = "GET /git/demo/aaaaaaaaaaaaaaaaaaaa.git/info/refs";
  silent_ =
    hold(how_many(200, 1'000),
         {body + "\r\n{",
          // With a key it is read, and the last of it never comes.
          body + key_line() + "\r\n{" + std::string(61'000, ' '),
          git,
          git + "?service=git-upload-pack HTTP/1.1\r\nHost: localhost\r\n\r\n",
          {}});
}

void hostile_tenant::unread_answers() {
  std::string many;
  for (auto path : {"/openapi.json", "/docs/errors", "/llms.txt"})
    many += std::string{"GET "} + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  auto held = hold(how_many(200, 1'000), {many + many + many});
  ask("GET", sessions);
}

// All that goes on and on, and a terminal that ends meanwhile.
void hostile_tenant::streams() {
  auto session = begin();
  run(session, "echo some output");
  ask("POST", session + "/exec",
      {{"command", "echo x; sleep 1000"}, {"exec_id", "x"}});
  ask("POST", session + "/exec",
      {{"command", "echo y; sleep 1; echo z"},
       {"exec_id", "y"},
       {"tty", {{"rows", 5}, {"cols", 20}}}});
  const std::string rest = " HTTP/1.1\r\nHost: localhost\r\n" + key_line();
  auto held =
    hold(how_many(200, 2'000),
         {"GET " + session + "/execs/x/output?follow=true" + rest + "\r\n",
          "GET " + session + "/events" + rest + "\r\n",
          "GET " + session + "/execs/y/attach" + rest
            + "Connection: Upgrade\r\nUpgrade: websocket\r\n"
              "Sec-WebSocket-Version: 13\r\n"
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
          "GET " + session + "/wait?until=ended&timeout=60s" + rest + "\r\n"});
  end(session);
}

void hostile_tenant::garbage() {
  for (int i = 0; i < 20; ++i) {
    std::string bytes(below(20'000), ' ');
    for (auto& c : bytes)
      c = static_cast<char>(random_());
    auto socket = connect_to(node_.port());
    send_quietly(socket, (i % 2 == 0 ? "GET /" : "") + bytes + "\r\n\r\n");
  }
}

void hostile_tenant::bad_clones() {
  auto session = begin();
  if (session.empty())
    return;
  auto id = session.substr(session.rfind('/') + 1);
  auto token = clone_url_.substr(clone_url_.find("session:") + 8);
  token = token.substr(0, token.find('@'));
  for (int i = 0; i < 20; ++i) {
    std::string body(below(2000), '0');
    for (auto& c : body)
      c = "0123456789abcdef \n"[below(18)];
    auto socket = connect_to(node_.port());
    send_quietly(socket,
                 "POST /git/demo/" + id
                   + ".git/git-upload-pack HTTP/1.1\r\nHost: localhost\r\n"
                     "Authorization: Bearer "
                   + token
                   + "\r\nContent-Type: application/x-git-upload-pack-"
                     "request\r\nContent-Length: "
                   + std::to_string(body.size()) + "\r\n\r\n" + body);
    if (i % 2 == 0)
      ::shutdown(socket.get(), SHUT_WR);
    std::string answer;
    receive_quietly(socket, answer);
    INFO(body << ": " << answer.substr(0, 200));
    CHECK(!answer.starts_with("HTTP/1.1 500"));
  }
  end(session);
}

void hostile_tenant::foreign_names() {
  // The key may ask for this: it is refused for the names alone.
  const auto ask_as = [&](const std::string& status, const std::string& names) {
    expect_answer(
      status, "GET " + sessions + " HTTP/1.1\r\n" + names + key_line() + "\r\n",
      false);
  };
  ask_as("200", "Host: localhost\r\n");
  ask_as("403", "Host: evil.example\r\n");
  ask_as("403", "Host: localhost\r\nOrigin: http://evil.example\r\n");
}

void hostile_tenant::tiny_chunks() {
  std::string body = "POST " + sessions
                     + " HTTP/1.1\r\nHost: localhost\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 10'400; ++i)
    body += "1\r\nx\r\n";
  std::vector<unique_fd> held;
  for (std::size_t i = below(300); i > 0; --i) {
    held.push_back(connect_to(node_.port()));
    send_quietly(held.back(), body);
  }
}

void hostile_tenant::odd_requests() {
  const std::string line = "GET /healthz HTTP/1.1\r\n";
  const std::string host = "Host: localhost\r\n";
  const std::string post = "POST " + sessions + " HTTP/1.1\r\n" + host;
  std::string many;
  for (int i = 0; i < 150; ++i)
    many += "X-" + std::to_string(i) + ": x\r\n";
  for (auto& odd : std::vector<std::string>{
         "GET /" + std::string(20'000 + below(20'000), 'a') + " HTTP/1.1\r\n"
           + host + "\r\n",
         line + host + "X: " + std::string(20'000 + below(20'000), 'x')
           + "\r\n\r\n",
         line + host + many + "\r\n",
         post
           + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
             "0\r\n\r\n",
         post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
         post + "Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n"})
    expect_answer("4", odd, false);
  expect_answer("501", "FOO /healthz HTTP/1.1\r\n" + host + "\r\n", false);
}

// It has said all, and waits.
void hostile_tenant::half_closed() {
  const std::string host = " HTTP/1.1\r\nHost: localhost\r\n";
  expect_answer("200", "GET " + sessions + host + key_line() + "\r\n", true);
  expect_answer("401",
                "GET /git/demo/aaaaaaaaaaaaaaaaaaaa.git/info/refs?service="
                "git-upload-pack"
                  + host + "\r\n",
                true);
  session_by_half_closed();
}

// Who asks so gets to know the session that there is then.
void hostile_tenant::session_by_half_closed() {
  const auto create = [&] {
    const auto body = json{{"new_branch", new_branch()}}.dump();
    return "POST " + sessions
           + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
             "application/json\r\nContent-Length: "
           + std::to_string(body.size()) + "\r\n" + key_line() + "\r\n" + body;
  };
  const auto answer = answer_to(create, true);
  INFO("a half-closed create: " << answer.substr(0, 100));
  CHECK(answer.starts_with("HTTP/1.1 201"));
  http_reply reply;
  if (auto at = answer.find("\r\n\r\n"); at != std::string::npos)
    reply.body = answer.substr(at + 4);
  const auto session = reply.data();
  CHECK(session.contains("id"));
  if (!session.contains("id"))
    return;
  remember(session);
  end(sessions + '/' + session["id"].get<std::string>());
}

void hostile_tenant::take_descriptors() {
  auto session = begin();
  ask("POST", session + "/exec",
      {{"command", "echo x; sleep 1000"}, {"exec_id", "x"}});
  // It has printed before it ends, which takes a descriptor more.
  ask("POST", session + "/exec",
      {{"command", "echo y; until [ -e go ]; do sleep 0.02; done"},
       {"exec_id", "y"},
       {"tty", {{"rows", 5}, {"cols", 20}}}});
  CHECK(eventually([&] {
    return ask("GET", session + "/execs/y").data()["status"] == "running";
  }));
  const std::string follow = "GET " + session
                             + "/execs/x/output?follow=true HTTP/1.1\r\nHost: "
                               "localhost\r\n"
                             + key_line() + "\r\n";
  // Until it is told that this is enough.
  std::vector<unique_fd> held;
  std::string answer = "HTTP/1.1 200";
  while (answer.starts_with("HTTP/1.1 200") && held.size() < 10'000) {
    held.push_back(connect_to(node_.port()));
    send_quietly(held.back(), follow);
    answer.clear();
    receive_quietly(held.back(), answer);
  }
  INFO(held.size() << " followers: " << answer.substr(0, 300));
  CHECK(answer.starts_with("HTTP/1.1 429"));
  CHECK(held.size() > 50);
  // And strangers beside them, as far as an address is let.
  for (auto& one : hold(60, {"GET /", "POST /git/demo/", {}}))
    held.push_back(std::move(one));
  CHECK(ask("POST", session + "/exec", {{"command", "touch go"}}).status
        == 202);
  json ended;
  CHECK(eventually([&] {
    ended = ask("GET", session + "/execs/y").data();
    return ended["status"] == "exited";
  }));
  INFO(ended.dump());
  CHECK(ended["exit_code"] == 0);
  held.clear();
  end(session);
}

} // namespace greenroom::test
