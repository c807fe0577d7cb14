// Previews over raw sockets: what passes through, and what does not.
#include "http/proxy/last_output.hpp"
#include "http/wire/tunnel.hpp"
#include "tests/http/client.hpp"
#include "tests/http/proxy/proxy_node.hpp"
#include "tests/support/eventually.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

using namespace greenroom;
using namespace greenroom::test;
using namespace greenroom::http::wire;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

message_head answer(int status, std::string_view type = "text/plain") {
  message_head result;
  result.status = status;
  if (!type.empty())
    result.headers.add("Content-Type", type);
  return result;
}

asio::awaitable<void> hello(server_connection& of) {
  co_await of.reply(answer(200), "hello", 30s);
}

/// Answers with the body that it gets, in pieces.
asio::awaitable<void> echo_body(server_connection& of) {
  of.begin(answer(201), of.head().content_length);
  for (;;) {
    auto piece = co_await of.read_body(30s);
    if (piece.empty())
      break;
    co_await of.write(piece, 30s);
  }
  co_await of.finish(30s, of.trailers());
}

/// The status of one request on a connection of its own.
int status_of(proxy_node& node, const std::string& request) {
  http_client client{node.port()};
  client.send(request);
  return client.receive_head().status;
}

std::string request_to(const std::string& host, const std::string& target = "/",
                       const std::string& headers = {}) {
  return "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + headers
         + "\r\n";
}

/// Asks for an upgrade, with the administrator's key.
std::string upgrade_request(const proxy_node& node, const std::string& headers,
                            const std::string& method = "GET") {
  return method + " /ws HTTP/1.1\r\nHost: " + node.host() + "\r\nX-API-Key: "
         + preview_secret + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         + headers + "\r\n";
}

/// The answer to that, with the first bytes that follow it.
std::string switched(std::string_view first = {}) {
  return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
         "Upgrade: websocket\r\n\r\n"
         + std::string{first};
}

constexpr auto navigation =
  "Sec-Fetch-Mode: navigate\r\nAccept: text/html,*/*\r\n";

} // namespace

TEST_CASE("an app is asked by its local name and told the public one") {
  proxy_node node{hello};
  http_client client{node.port()};
  client.send(node.get("/a?b=c", "Cookie: x=1; greenroom-preview=s; y=2\r\n"
                                 "X-Forwarded-For: 9.9.9.9\r\n"
                                 "x_forwarded_for: 9.9.9.9\r\n"
                                 "X-Real-IP: 9.9.9.9\r\n"
                                 "Forwarded: for=9.9.9.9\r\n"
                                 "Connection: keep-alive, X-Hop\r\n"
                                 "X-Hop: 1\r\nTE: trailers\r\n"
                                 "Origin: http://elsewhere\r\n"));
  auto got = client.receive();
  CHECK(got.status == 200);
  CHECK(got.body == "hello");
  auto seen = node.seen().at(0);
  auto port = std::to_string(node.app_port());
  CHECK_THAT(seen, Contains("GET /a?b=c\r\nHost: localhost:" + port + "\r\n"));
  CHECK_THAT(seen, Contains("Cookie: x=1; y=2\r\n"));
  CHECK_THAT(seen, Contains("X-Forwarded-For: 127.0.0.1\r\n"));
  CHECK_THAT(seen, Contains("X-Forwarded-Host: " + node.host() + "\r\n"));
  CHECK_THAT(seen, Contains("X-Forwarded-Proto: http\r\n"));
  CHECK_THAT(seen, Contains("Forwarded: for=127.0.0.1;host=\"" + node.host()
                            + "\";proto=http\r\n"));
  CHECK_THAT(seen, Contains("Origin: http://elsewhere\r\n"));
  // Trailers pass, and some servers want to be asked for them.
  CHECK_THAT(seen, Contains("TE: trailers\r\nConnection: TE\r\n"));
  for (auto gone : {"X-API-Key", "X-Hop", "9.9.9.9", "greenroom", "keep-alive"})
    CHECK_THAT(seen, !Contains(gone));
}

TEST_CASE("an app's own Authorization reaches it, a key of ours does not") {
  proxy_node node{hello};
  node.settings.change(preview_sid, node.app_port(),
                       preview_access::public_view, {});
  http_client client{node.port()};
  client.send(request_to(node.host(), "/", "Authorization: Bearer app\r\n"));
  CHECK(client.receive().status == 200);
  CHECK_THAT(node.seen().at(0), Contains("Authorization: Bearer app"));
  client.send(request_to(node.host(), "/",
                         "Authorization: Bearer " + preview_secret + "\r\n"));
  CHECK(client.receive().status == 200);
  CHECK_THAT(node.seen().at(1), !Contains("Authorization"));
  // Nor behind one that is none.
  client.send(request_to(node.host(), "/",
                         "Authorization: Basic YTpi\r\nX-API-Key: none\r\n"
                         "Authorization: Bearer "
                           + preview_secret + "\r\nX-API-Key: " + preview_secret
                           + "\r\n"));
  CHECK(client.receive().status == 200);
  CHECK_THAT(node.seen().at(2), !Contains(preview_secret));
}

TEST_CASE("a key of ours that is a password reaches no app") {
  proxy_node node{hello};
  node.settings.change(preview_sid, node.app_port(),
                       preview_access::public_view, {});
  http_client client{node.port()};
  auto seen_of = [&](const std::string& header) {
    client.send(request_to(node.host(), "/", header + "\r\n"));
    CHECK(client.receive().status == 200);
    return node.seen().back();
  };
  // x:KEY, KEY: and session:gr_ with 64 digits, as git sends a clone token.
  for (const std::string ours :
       {"Basic eDphZG1pbi1zZWNyZXQtb2YtdGhlLXRlc3Rz",
        "basic  YWRtaW4tc2VjcmV0LW9mLXRoZS10ZXN0czo=",
        "Basic c2Vzc2lvbjpncl8wMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFi"
        "Y2RlZjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm"}) {
    INFO(ours);
    CHECK_THAT(seen_of("Authorization: " + ours), !Contains("Authorization"));
  }
  // x:y and session:gr_app
  for (const std::string own : {"Authorization: Basic eDp5",
                                "Authorization: Basic c2Vzc2lvbjpncl9hcHA="})
    CHECK_THAT(seen_of(own), Contains(own + "\r\n"));
}

TEST_CASE("a key of ours that is a subprotocol reaches no app") {
  proxy_node node{hello};
  node.settings.change(preview_sid, node.app_port(),
                       preview_access::public_view, {});
  const std::string name = "Sec-WebSocket-Protocol: ";
  const auto ours = "bearer." + preview_secret;
  const auto no_key_any_more = "bearer.gr_" + std::string(64, '0');
  auto seen_of = [&](const std::string& headers) {
    http_client client{node.port()};
    client.send(
      request_to(node.host(), "/ws",
                 "Connection: Upgrade\r\nUpgrade: websocket\r\n" + headers));
    CHECK(client.receive().status == 200);
    return node.seen().back();
  };
  auto both =
    seen_of(name + "chat, " + ours + ",v2 ," + no_key_any_more + "\r\n");
  CHECK_THAT(both, Contains(name + "chat, v2\r\n"));
  CHECK_THAT(both, !Contains("bearer."));
  CHECK_THAT(seen_of(name + ours + "\r\n"), !Contains(name));
  auto split = seen_of(name + ours + "\r\n" + name + "chat\r\n");
  CHECK_THAT(split, Contains(name + "chat\r\n"));
  CHECK_THAT(split, !Contains(preview_secret));
  // An app's own reach it as they were sent.
  const auto own = name + "chat,bearer.of-the-app\r\n";
  CHECK_THAT(seen_of(own), Contains(own));
}

TEST_CASE("bodies pass in both directions, in either framing") {
  proxy_node node{echo_body};
  http_client client{node.port()};
  std::string body(1'000'000, 'x');
  auto head = "POST / HTTP/1.1\r\nHost: " + node.host()
              + "\r\nX-API-Key: " + preview_secret + "\r\n";
  client.send(head + "Content-Length: 1000000\r\n\r\n" + body);
  auto got = client.receive();
  CHECK(got.status == 201);
  CHECK(got.body == body);
  client.send(head + "Transfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 10; ++i)
    client.send("186a0\r\n" + body.substr(0, 100'000) + "\r\n");
  client.send("0\r\nX-Sum: 1\r\n\r\n");
  got = client.receive_head();
  CHECK(got.headers["transfer-encoding"] == "chunked");
  // One connection to the app served both.
  CHECK(node.connections == 1);
}

TEST_CASE("a stream arrives piece by piece, and ends with its client") {
  std::atomic<bool> gone = false;
  proxy_node node{[&](server_connection& of) -> asio::awaitable<void> {
    of.begin(answer(200, "text/event-stream"), std::nullopt);
    co_await of.write("data: 1\n\n", 30s);
    gone = co_await of.watch();
  }};
  {
    http_client client{node.port()};
    client.send(node.get("/events"));
    CHECK(client.receive_head().status == 200);
    client.read_stream_until("data: 1");
    CHECK_FALSE(gone);
  }
  CHECK(eventually([&] { return gone.load(); }));
}

TEST_CASE("a client that sends no more gets its answer, however late") {
  std::atomic<bool> go_on = false;
  const auto wait = [&]() -> asio::awaitable<void> {
    asio::steady_timer timer{co_await asio::this_coro::executor};
    while (!go_on) {
      timer.expires_after(5ms);
      co_await timer.async_wait(asio::use_awaitable);
    }
  };
  proxy_node node{[&](server_connection& of) -> asio::awaitable<void> {
    const auto begins_at_once = of.head().target == "/begun";
    if (!begins_at_once)
      co_await wait();
    of.begin(answer(200), std::nullopt);
    co_await of.write("one", 30s);
    co_await of.flush(30s);
    co_await wait();
    co_await of.write("two", 30s);
    co_await of.finish(30s);
  }};
  for (auto path : {"/late", "/begun"}) {
    go_on = false;
    http_client client{node.port()};
    client.send(node.get(path));
    client.finish_sending();
    const auto begun = path == std::string_view{"/begun"};
    if (begun) {
      CHECK(client.receive_head().status == 200);
      client.read_stream_until("one");
    }
    // Long enough for many looks at who is still there.
    CHECK_FALSE(client.has_answer(300ms));
    go_on = true;
    if (!begun)
      CHECK(client.receive_head().status == 200);
    CHECK(client.read_stream_to_end() == "onetwo");
  }
}

TEST_CASE("a client that breaks its connection takes its request along") {
  std::atomic<int> gone = 0;
  proxy_node node{[&](server_connection& of) -> asio::awaitable<void> {
    if (of.head().target == "/begun") {
      of.begin(answer(200), std::nullopt);
      co_await of.write("one", 30s);
      co_await of.flush(30s);
    }
    auto left = co_await of.watch();
    gone += left ? 1 : 0;
  }};
  http_client silent{node.port()};
  silent.send(node.get("/late"));
  http_client begun{node.port()};
  begun.send(node.get("/begun"));
  CHECK(begun.receive_head().status == 200);
  CHECK(eventually([&] { return node.seen().size() == 2; }));
  CHECK(gone == 0);
  silent.drop();
  begun.drop();
  CHECK(eventually([&] { return gone == 2; }));
}

TEST_CASE("what an app sends a byte a chunk goes out in larger ones") {
  proxy_node node{[](server_connection& of) -> asio::awaitable<void> {
    std::string text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 1000; ++i)
      text += "1\r\nx\r\n";
    text += "0\r\n\r\n";
    co_await of.stream().write(asio::buffer(text), 30s);
    of.close();
  }};
  http_client client{node.port()};
  client.send(node.get("/"));
  CHECK(client.receive_head().status == 200);
  CHECK(client.receive_bytes(2) != "1\r");
  http_client another{node.port()};
  another.send(node.get("/"));
  CHECK(another.receive_head().status == 200);
  CHECK(another.read_stream_to_end() == std::string(1000, 'x'));
}

TEST_CASE("interim answers, HEAD and statuses pass as they are") {
  proxy_node node{[](server_connection& of) -> asio::awaitable<void> {
    auto hints = answer(103, "");
    hints.headers.add("Link", "</x.css>");
    co_await of.interim(hints, 30s);
    auto head = answer(of.head().target == "/none" ? 204 : 299);
    head.reason = "Of Its Own";
    co_await of.reply(head, of.head().target == "/none" ? "" : "12345", 30s);
  }};
  http_client client{node.port()};
  client.send(node.get("/none"));
  auto hints = client.receive_head();
  CHECK(hints.status == 103);
  CHECK(hints.headers["link"] == "</x.css>");
  CHECK(client.receive_head().status == 204);
  auto text = node.get("/");
  text.replace(0, 3, "HEAD");
  client.send(text);
  CHECK(client.receive_head().status == 103);
  auto head = client.receive(true);
  CHECK(head.status == 299);
  CHECK(head.headers["content-length"] == "5");
}

TEST_CASE("an upgrade is asked for by the same Host and tunnelled") {
  proxy_node node{[](server_connection& of) -> asio::awaitable<void> {
    auto head = answer(101, "");
    head.headers.add("Connection", "Upgrade");
    head.headers.add("Upgrade", of.head().upgrade());
    head.headers.add("Sec-WebSocket-Protocol", "chat");
    co_await of.switch_protocols(head, 30s);
    std::array<char, 100> buffer{};
    auto size =
      co_await of.stream().read(asio::buffer(buffer), byte_stream::never);
    auto text = "echo " + std::string{buffer.data(), size};
    co_await of.stream().write(asio::buffer(text), 30s);
    of.close();
  }};
  http_client client{node.port()};
  client.send(node.get("/ws", "Connection: keep-alive, Upgrade\r\n"
                              "Upgrade: websocket\r\n"
                              "Sec-WebSocket-Key: k\r\n"));
  auto head = client.receive_head();
  CHECK(head.status == 101);
  CHECK(head.headers["upgrade"] == "websocket");
  CHECK(head.headers["connection"] == "Upgrade");
  CHECK(head.headers["sec-websocket-protocol"] == "chat");
  client.send("abc");
  CHECK(client.receive_bytes(8) == "echo abc");
  CHECK(client.is_closed());
  auto seen = node.seen().at(0);
  CHECK_THAT(seen, Contains("Host: localhost:" + std::to_string(node.app_port())
                            + "\r\n"));
  CHECK_THAT(seen, Contains("Upgrade: websocket\r\n"));
  CHECK_THAT(seen, Contains("Sec-WebSocket-Key: k\r\n"));
}

TEST_CASE("what comes together with a handshake is not lost") {
  proxy_node node{[](server_connection& of) -> asio::awaitable<void> {
    const auto text = switched("hello");
    co_await of.stream().write(asio::buffer(text), 30s);
    auto got = of.take_rest();
    std::array<char, 100> buffer{};
    while (got.size() < 5) {
      auto size =
        co_await of.stream().read(asio::buffer(buffer), byte_stream::never);
      if (size == 0)
        break;
      got.append(buffer.data(), size);
    }
    const auto echo = ", " + got;
    co_await of.stream().write(asio::buffer(echo), 30s);
    of.close();
  }};
  http_client client{node.port()};
  client.send(upgrade_request(node, "") + "first");
  CHECK(client.receive_head().status == 101);
  CHECK(client.receive_bytes(12) == "hello, first");
  CHECK(client.is_closed());
}

TEST_CASE("an upgrade is asked for anew where the app has hung up meanwhile") {
  std::atomic<int> asked = 0;
  proxy_node node{[&](server_connection& of) -> asio::awaitable<void> {
    const auto turn = ++asked;
    if (turn == 1) {
      co_await of.reply(answer(200), "page", 30s);
      co_return;
    }
    const auto text = switched("hello");
    if (turn == 3)
      co_await of.stream().write(asio::buffer(text), 30s);
    of.close();
  }};
  http_client client{node.port()};
  client.send(node.get("/"));
  CHECK(client.receive().status == 200);
  client.send(upgrade_request(node, ""));
  CHECK(client.receive_head().status == 101);
  CHECK(client.receive_bytes(5) == "hello");
  CHECK(node.connections == 2);
}

TEST_CASE("protocols are switched once the app has all of the request") {
  proxy_node node{[](server_connection& of) -> asio::awaitable<void> {
    const auto is_whole = of.head().content_length == 4;
    if (is_whole)
      co_await of.read_body(30s);
    const auto text = switched("hello");
    co_await of.stream().write(asio::buffer(text), 30s);
    std::array<char, 100> buffer{};
    for (auto more = !is_whole; more;) {
      auto size =
        co_await of.stream().read(asio::buffer(buffer), byte_stream::never);
      more = size != 0;
    }
    of.close();
  }};
  http_client whole{node.port()};
  whole.send(upgrade_request(node, "Content-Length: 4\r\n", "POST") + "body");
  CHECK(whole.receive_head().status == 101);
  CHECK(whole.receive_bytes(5) == "hello");
  http_client amid{node.port()};
  amid.send(upgrade_request(node, "Content-Length: 1000000\r\n", "POST")
            + "body");
  CHECK(amid.receive_head().status == 502);
}

TEST_CASE("a tunnel ends with a client that has sent all and is gone") {
  std::atomic<bool> told = false;
  proxy_node node{[&](server_connection& of) -> asio::awaitable<void> {
    const auto text = switched();
    co_await of.stream().write(asio::buffer(text), 30s);
    std::array<char, 100> buffer{};
    auto size =
      co_await of.stream().read(asio::buffer(buffer), byte_stream::never);
    told = size == 0;
    // An app that says nothing more, and does not hang up either.
    asio::steady_timer timer{co_await asio::this_coro::executor};
    while (of.stream().is_open()) {
      timer.expires_after(5ms);
      co_await timer.async_wait(asio::use_awaitable);
    }
  }};
  http_client client{node.port()};
  client.send(upgrade_request(node, ""));
  CHECK(client.receive_head().status == 101);
  client.finish_sending();
  CHECK(eventually([&] { return told.load(); }));
  // It may still read.
  CHECK_FALSE(client.has_answer(100ms));
  CHECK(node.clients == 1);
  client.drop();
  CHECK(eventually([&] { return node.clients == 0; }));
}

TEST_CASE("what is sent behind an upgrade that is refused is a request") {
  proxy_node node{hello};
  node.settings.change(preview_sid, node.app_port(),
                       preview_access::public_view, {});
  http_client client{node.port()};
  client.send(
    request_to(node.host(), "/", "Connection: Upgrade\r\nUpgrade: x\r\n")
    + request_to(node.host(9), "/secret"));
  CHECK(client.receive().status == 200);
  // Judged by itself: that port is not public.
  CHECK(client.receive_head().status == 401);
  CHECK(node.seen().size() == 1);
}

TEST_CASE("without access a person gets a page and a script nothing") {
  proxy_node node{hello};
  http_client client{node.port()};
  client.send(request_to(node.host(), "/", navigation));
  auto page = client.receive();
  CHECK(page.status == 401);
  CHECK_THAT(page.body, Contains("A link is needed"));
  CHECK(page.headers["content-type"] == "text/html; charset=utf-8");
  client.send(request_to(node.host(), "/app.js", "Accept: */*\r\n"));
  auto script = client.receive();
  CHECK(script.status == 401);
  CHECK(script.body.empty());
  CHECK_FALSE(script.headers.contains("content-type"));
  CHECK(node.connections == 0);
}

TEST_CASE("a link becomes a cookie of its host and the page comes without it") {
  proxy_node node{hello};
  auto token = node.add_link();
  http_client client{node.port()};
  client.send(request_to(node.host(), "/a?x=1&greenroom_token=" + token));
  auto opened = client.receive_head();
  CHECK(opened.status == 303);
  CHECK(opened.headers["location"] == "/a?x=1");
  auto cookie = opened.headers["set-cookie"];
  CHECK_THAT(cookie, Contains("greenroom-preview=" + token + "; Path=/; "));
  CHECK_THAT(cookie, Contains("HttpOnly; SameSite=Lax"));
  CHECK_THAT(cookie, !Contains("Domain"));
  auto with = "Cookie: " + cookie.substr(0, cookie.find(';')) + "\r\n";
  CHECK(status_of(node, request_to(node.host(), "/a", with)) == 200);
  CHECK(status_of(node, request_to(node.host(9), "/a", with)) == 401);
  CHECK_THAT(node.seen().at(0), !Contains("Cookie"));
  // The page that was opened is not told to others by its address.
  CHECK(status_of(node, request_to(node.host(), "/b",
                                   with + "Referer: http://h/?greenroom_token="
                                     + token + "\r\n"))
        == 200);
  CHECK_THAT(node.seen().at(1), !Contains(token));
  node.settings.change(preview_sid, node.app_port(), preview_access::key, {});
  CHECK(status_of(node, request_to(node.host(), "/a", with)) == 401);
}

TEST_CASE("a link opens nothing of a port that is for keys") {
  proxy_node node{hello};
  const auto target = "/a?greenroom_token=" + node.add_link();
  node.settings.change(preview_sid, node.app_port(), preview_access::key, {});
  for (std::string method : {"GET", "HEAD", "POST", "PUT", "OPTIONS"})
    CHECK(status_of(node, method + request_to(node.host(), target).substr(3))
          == 401);
  CHECK(status_of(node, request_to(node.host(), target,
                                   "Connection: Upgrade\r\nUpgrade: "
                                   "websocket\r\n"))
        == 401);
  CHECK(node.connections == 0);
  const auto key =
    std::string{"X-API-Key: "} + preview_secret + std::string{"\r\n"};
  CHECK(status_of(node, request_to(node.host(), target, key)) == 200);
  CHECK_THAT(node.seen().at(0), !Contains("greenroom_token"));
}

TEST_CASE("over https the cookie can be set by no other host") {
  proxy_node node{hello,
                  [](auto& o) { o.preview_url = "https://preview.localhost"; }};
  auto token = node.add_link();
  http_client client{node.port()};
  client.send(request_to(node.host(), "/?greenroom_token=" + token));
  auto cookie = client.receive_head().headers["set-cookie"];
  CHECK_THAT(cookie, Contains("__Host-greenroom-preview=" + token));
  CHECK_THAT(cookie, Contains("; Secure"));
}

TEST_CASE("what a link opened ends with the link") {
  proxy_node node{[](server_connection& of) -> asio::awaitable<void> {
    of.begin(answer(200), std::nullopt);
    co_await of.write("begun", 30s);
    co_await of.watch();
  }};
  auto token = node.add_link("l7");
  http_client client{node.port()};
  client.send(request_to(node.host(), "/",
                         "Cookie: greenroom-preview=" + token + "\r\n"));
  client.receive_head();
  client.read_stream_until("begun");
  CHECK(node.settings.remove_link(preview_sid, node.app_port(), "l7"));
  CHECK_THROWS(client.read_stream_to_end());
  CHECK(
    status_of(node, request_to(node.host(), "/",
                               "Cookie: greenroom-preview=" + token + "\r\n"))
    == 401);
}

TEST_CASE("what a link asked for does not reach an app after the link's end") {
  proxy_node node{hello};
  auto token = node.add_link();
  node.held = true;
  http_client client{node.port()};
  client.send(request_to(node.host(), "/pay",
                         "Cookie: greenroom-preview=" + token + "\r\n"));
  await("the app is dialled", [&] { return node.connections == 1; });
  CHECK(node.settings.remove_link(preview_sid, node.app_port(), "l1"));
  CHECK(client.is_closed());
  node.held = false;
  CHECK(eventually([&] { return node.clients == 0; }));
  CHECK(node.seen().empty());
}

TEST_CASE("a link is as good as the key that made it") {
  proxy_node node{[](server_connection& of) -> asio::awaitable<void> {
    of.begin(answer(200), std::nullopt);
    co_await of.write("begun", 30s);
    co_await of.watch();
  }};
  auto made = make_key("maker", {"sessions:execute"}, {"demo"}, 0);
  node.keys.replace({made.record});
  auto token = node.add_link("l8", 3'600'000, made.record.id);
  auto cookie = "Cookie: greenroom-preview=" + token + "\r\n";
  http_client client{node.port()};
  client.send(request_to(node.host(), "/", cookie));
  CHECK(client.receive_head().status == 200);
  client.read_stream_until("begun");
  node.keys.replace({});
  CHECK_THROWS(client.read_stream_to_end());
  CHECK(status_of(node, request_to(node.host(), "/", cookie)) == 401);
  CHECK(status_of(node, request_to(node.host(), "/?greenroom_token=" + token))
        == 401);
  // It is ours, even if it opens nothing any more.
  node.settings.change(preview_sid, node.app_port(),
                       preview_access::public_view, {});
  http_client other{node.port()};
  other.send(request_to(node.host(), "/",
                        "Authorization: Bearer " + made.secret
                          + "\r\nX-API-Key: " + made.secret + "\r\n"));
  CHECK(other.receive_head().status == 200);
  CHECK_THAT(node.seen().back(), !Contains(made.secret));
}

TEST_CASE("a cookie that another session's page has set shuts nobody out") {
  proxy_node node{hello};
  auto token = node.add_link();
  auto cookies =
    "Cookie: greenroom-preview=evil; a=1; greenroom-preview=" + token + "\r\n";
  CHECK(status_of(node, request_to(node.host(), "/", cookies)) == 200);
  CHECK_THAT(node.seen().at(0), Contains("Cookie: a=1\r\n"));
  CHECK(status_of(node, request_to(node.host(), "/",
                                   "Cookie: greenroom-preview=evil\r\n"))
        == 401);
}

TEST_CASE("a cookie opens nothing to a page of another session") {
  proxy_node node{hello};
  const auto cookie = "Cookie: greenroom-preview=" + node.add_link() + "\r\n";
  const auto asked_by = [&](const std::string& origin,
                            const std::string& more = {}) {
    return status_of(node,
                     request_to(node.host(), "/",
                                cookie + "Origin: " + origin + "\r\n" + more));
  };
  auto other = node.host(3000);
  CHECK(asked_by("http://" + other) == 200);
  other.replace(other.find("cccc"), 4, "dddd");
  CHECK(asked_by("http://" + other) == 401);
  CHECK(
    asked_by("http://" + other, "Connection: Upgrade\r\nUpgrade: websocket\r\n")
    == 401);
  CHECK(node.seen().size() == 1);
  // A key is no browser's to send unasked, and other pages are no previews.
  CHECK(asked_by("http://" + other, "X-API-Key: " + preview_secret + "\r\n")
        == 200);
  CHECK(asked_by("http://" + node.host()) == 200);
  CHECK(asked_by("http://www.preview.localhost") == 200);
  // Pages of all sessions are there, by path.
  CHECK(asked_by("http://preview.localhost:8081") == 401);
}

TEST_CASE("a cookie opens nothing to a page that hides who it is") {
  proxy_node node{hello};
  const auto cookie = "Cookie: greenroom-preview=" + node.add_link() + "\r\n";
  const auto post = [&](const std::string& more) {
    return status_of(node, "POST / HTTP/1.1\r\nHost: " + node.host()
                             + "\r\nContent-Length: 0\r\n" + cookie + more
                             + "\r\n");
  };
  // So a form is sent where the page's referrer policy is "no-referrer".
  CHECK(post("Origin: null\r\n") == 401);
  CHECK(post("Origin: null\r\nSec-Fetch-Site: same-site\r\n") == 401);
  CHECK(post("Origin: null\r\nSec-Fetch-Site: same-origin\r\n") == 200);
  // No browser.
  CHECK(post("") == 200);
  CHECK(node.seen().size() == 2);
  http_client client{node.port()};
  client.send("POST / HTTP/1.1\r\nHost: " + node.host()
              + "\r\nContent-Length: 0\r\nAccept: text/html\r\n" + cookie
              + "Origin: null\r\n\r\n");
  CHECK_THAT(client.receive().body, Contains("Referrer-Policy: no-referrer"));
}

TEST_CASE("a cookie opens no script or picture to a page of another session") {
  proxy_node node{hello};
  const auto cookie = "Cookie: greenroom-preview=" + node.add_link() + "\r\n";
  const auto get = [&](const std::string& more) {
    return status_of(node, request_to(node.host(), "/a.js", cookie + more));
  };
  const auto own = "Referer: http://" + node.host(3000) + "/\r\n";
  auto other = own;
  other.replace(other.find("cccc"), 4, "dddd");
  const std::string same_site = "Sec-Fetch-Site: same-site\r\n";
  const std::string script = same_site + "Sec-Fetch-Mode: no-cors\r\n";
  CHECK(get(script + other) == 401);
  CHECK(get(script) == 401);
  CHECK(get(script + own) == 200);
  // Where a browser says nothing of sites the address does.
  CHECK(get(other) == 401);
  CHECK(get(own) == 200);
  CHECK(get("") == 200);
  CHECK(get("Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: no-cors\r\n")
        == 200);
  // A person may follow a link from one to the other.
  CHECK(get(same_site + navigation + other) == 200);
  CHECK(get("Accept: text/html\r\n" + other) == 200);
}

TEST_CASE("a cookie opens all that pages of the same session ask for") {
  proxy_node node{hello};
  const auto cookie = "Cookie: greenroom-preview=" + node.add_link() + "\r\n";
  struct wish {
    std::string method;
    std::string mode;
    std::string said;
  };
  const auto status_for = [&](const wish& what, const std::string& site) {
    // Browsers say neither where it is not https nor below localhost.
    const auto of_fetch = site.empty()
                            ? ""
                            : "Sec-Fetch-Site: " + site
                                + "\r\nSec-Fetch-Mode: " + what.mode + "\r\n";
    return status_of(node, what.method + " / HTTP/1.1\r\nHost: " + node.host()
                             + "\r\n" + cookie + of_fetch + what.said + "\r\n");
  };
  const std::string upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
  const std::string empty = "Content-Length: 0\r\n";
  const std::string html = "Accept: text/html\r\n";
  for (const auto& host : {node.host(), node.host(3000)}) {
    const auto origin = "Origin: http://" + host + "\r\n";
    const auto referer = "Referer: http://" + host + "/\r\n";
    const wish wishes[] = {
      {"GET", "navigate", html},           // an address, another site's link
      {"GET", "navigate", html + referer}, // a link, a frame
      {"GET", "no-cors", referer},         // a script, a picture, the icon
      {"GET", "cors", origin + referer},   // fetch() from another port
      {"POST", "cors", origin + referer + empty},            // fetch()
      {"POST", "no-cors", origin + referer + empty},         // a beacon
      {"POST", "navigate", origin + referer + html + empty}, // a form
      {"GET", "websocket", origin + upgrade}, // what reloads the page
      // Where the page's referrer policy is "no-referrer".
      {"POST", "cors", origin + empty},
    };
    for (const auto& one : wishes)
      for (const std::string site : {"", "same-origin", "same-site"}) {
        INFO(host << ' ' << one.method << ' ' << one.mode << ' ' << site);
        CHECK(status_for(one, site) == 200);
      }
  }
  // Of its own host a browser mostly names no origin where nothing is sent, and
  // such a page no address either.
  for (const wish& one :
       {wish{"GET", "cors", {}}, // fetch(), events
        wish{"GET", "no-cors", {}}, wish{"GET", "same-origin", {}}})
    for (const std::string site : {"", "same-origin"}) {
      INFO(one.mode << ' ' << site);
      CHECK(status_for(one, site) == 200);
    }
  CHECK(status_for({"POST", "navigate", "Origin: null\r\n" + html + empty},
                   "same-origin")
        == 200);
}

TEST_CASE("a link leads to no other host") {
  proxy_node node{hello};
  auto token = node.add_link();
  // To a browser the one slash is as good as the other.
  for (const std::string slashes : {"//", "/\\"}) {
    INFO(slashes);
    http_client client{node.port()};
    client.send(request_to(node.host(),
                           slashes + "evil.example/?greenroom_token=" + token));
    CHECK(client.receive_head().headers["location"]
          == "/." + slashes + "evil.example/");
  }
}

TEST_CASE("a project says who sees ports that say nothing themselves") {
  proxy_node node{hello};
  auto status = [&](const std::string& headers = {}) {
    return status_of(node, request_to(node.host(), "/", headers));
  };
  auto cookie = "Cookie: greenroom-preview=" + node.add_link() + "\r\n";
  CHECK(status() == 401);
  CHECK(status(cookie) == 200);
  node.set_rules({preview_access::key});
  CHECK(status(cookie) == 401);
  node.set_rules({preview_access::public_view});
  CHECK(status() == 200);
  node.settings.change(preview_sid, node.app_port(), preview_access::token, {});
  CHECK(status() == 401);
}

TEST_CASE("an app's own pages may be its own origin") {
  proxy_node node{hello};
  auto origin = [&](const std::string& value) {
    status_of(node, node.get("/", "Origin: " + value + "\r\n"));
    return node.seen().back();
  };
  auto own = "http://" + node.host();
  CHECK_THAT(origin(own), Contains("Origin: " + own + "\r\n"));
  node.set_rules({preview_access::token, true});
  CHECK_THAT(origin(own), Contains("Origin: http://localhost:"
                                   + std::to_string(node.app_port()) + "\r\n"));
  CHECK_THAT(origin("http://evil.example"),
             Contains("Origin: http://evil.example\r\n"));
}

TEST_CASE("preflights reach an app where the project says so") {
  proxy_node node{hello};
  auto preflight = "OPTIONS / HTTP/1.1\r\nHost: " + node.host()
                   + "\r\nOrigin: http://a.example\r\n"
                     "Access-Control-Request-Method: PUT\r\n\r\n";
  CHECK(status_of(node, preflight) == 401);
  node.set_rules({preview_access::token, false, true});
  CHECK(status_of(node, preflight) == 200);
  CHECK(status_of(node, "OPTIONS / HTTP/1.1\r\nHost: " + node.host()
                          + "\r\nOrigin: http://a.example\r\n\r\n")
        == 401);
  // What does more than ask is let in by nothing of that.
  const auto head_end = preflight.size() - 2;
  using more = std::pair<std::string_view, std::string_view>;
  for (auto [headers, body] :
       {more{"Connection: Upgrade\r\nUpgrade: websocket\r\n", ""},
        more{"Content-Length: 4\r\n", "body"},
        more{"Transfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\n\r\n"}}) {
    auto asks_more = preflight;
    asks_more.insert(head_end, headers).append(body);
    CHECK(status_of(node, asks_more) == 401);
  }
  CHECK(node.seen().size() == 1);
}

TEST_CASE("what belongs in a head is not said behind the body") {
  proxy_node node{[](server_connection& of) -> asio::awaitable<void> {
    while (!(co_await of.read_body(30s)).empty())
      continue;
    of.begin(answer(200), std::nullopt);
    std::string text;
    append_headers(text, of.trailers());
    co_await of.write("got " + text, 30s);
    header_list trailers;
    trailers.add("Set-Cookie", "greenroom-preview=evil");
    trailers.add("X-Sum", "1");
    co_await of.finish(30s, trailers);
  }};
  http_client client{node.port()};
  client.send("POST / HTTP/1.1\r\nHost: " + node.host()
              + "\r\nX-API-Key: " + preview_secret
              + "\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
                "Host: evil\r\nCookie: a=1\r\nX-Forwarded-For: 1.1.1.1\r\n"
                "Sec-WebSocket-Protocol: bearer.x\r\n"
                "X-Md5: 7\r\n\r\n");
  client.receive_head();
  CHECK(client.read_stream_to_end() == "got X-Md5: 7\r\n");
}

TEST_CASE("links and settings are there after a restart") {
  temp_dir dir;
  std::filesystem::create_directories(dir.path() / "sessions" / preview_sid);
  {
    http::proxy::preview_settings first{dir.path()};
    first.change(preview_sid, 3000, preview_access::key, "web");
    first.add_link(preview_sid, {"l1", 3000, sha256_hex("t"), "k", 1000}, 0);
  }
  http::proxy::preview_settings second{dir.path()};
  CHECK(second.of(preview_sid, 3000).label == "web");
  CHECK(second.of(preview_sid, 3000).access == preview_access::key);
  CHECK(!second.of(preview_sid, 3001).access);
  CHECK(second.find_link(preview_sid, 3000, "t", 999));
  CHECK_FALSE(second.find_link(preview_sid, 3000, "t", 1000));
  CHECK_FALSE(second.find_link(preview_sid, 3001, "t", 0));
}

TEST_CASE("settings go with a session that moves, and come back with it") {
  std::map<std::string, std::string> kept;
  http::proxy::preview_store place;
  place.shared = true;
  place.read = [&](const std::string& id) -> std::optional<std::string> {
    auto found = kept.find(id);
    return found == kept.end() ? std::nullopt : std::optional{found->second};
  };
  place.write = [&](const std::string& id, const std::string& text) {
    kept[id] = text;
  };
  http::proxy::preview_settings a{place};
  http::proxy::preview_settings b{place};
  const std::string id = preview_sid;
  a.change(id, 3000, preview_access::key, "web");
  a.add_link(id, {"l1", 3000, sha256_hex("t"), "k", 1000}, 0);
  CHECK(b.of(id, 3000).access == preview_access::key);
  CHECK(b.remove_link(id, 3000, "l1"));
  // What a has is of before, until it has the session again.
  a.refresh(id);
  CHECK_FALSE(a.find_link(id, 3000, "t", 0));
  // Nor does a change bring back what is not there any more.
  a.add_link(id, {"l2", 3000, sha256_hex("u"), "k", 1000}, 0);
  CHECK(b.remove_link(id, 3000, "l2"));
  a.change(id, 3000, {}, "name");
  a.refresh(id);
  CHECK_FALSE(a.find_link(id, 3000, "u", 0));
  CHECK(a.of(id, 3000).access == preview_access::key);
}

TEST_CASE("an app that does not listen yet is waited for") {
  proxy_node node{hello};
  node.listening = false;
  http_client client{node.port()};
  client.send(node.get("/", navigation));
  auto page = client.receive();
  CHECK(page.status == 503);
  CHECK(page.headers["retry-after"] == "1");
  CHECK_THAT(page.body, Contains("http-equiv=\"refresh\""));
  CHECK_THAT(page.body, Contains("# web (running)\nbuilding &lt;it&gt;</pre>"));
  client.send(node.get("/data"));
  auto script = client.receive();
  CHECK(script.status == 503);
  CHECK(script.body.empty());
  node.listening = true;
  client.send(node.get("/"));
  CHECK(client.receive().status == 200);
}

TEST_CASE("a page that waits is told when the app is there") {
  proxy_node node{hello};
  node.listening = false;
  http_client client{node.port()};
  client.send(node.get("/", "Greenroom-Waiting: 1\r\n"));
  CHECK_FALSE(client.has_answer(50ms));
  node.listening = true;
  CHECK(client.receive().status == 204);
  CHECK(node.seen().empty());
  // The connection that it took to find out is the next request's.
  client.send(node.get("/"));
  CHECK(client.receive().status == 200);
  CHECK(node.connections == 1);
}

TEST_CASE("what commands print is not for the public") {
  proxy_node node{hello};
  node.settings.change(preview_sid, node.app_port(),
                       preview_access::public_view, {});
  node.listening = false;
  http_client client{node.port()};
  client.send(request_to(node.host(), "/", navigation));
  auto page = client.receive();
  CHECK(page.status == 503);
  CHECK_THAT(page.body, !Contains("building"));
}

TEST_CASE("the last lines of what was printed are plain text") {
  using http::proxy::last_lines;
  CHECK(last_lines("").empty());
  CHECK(last_lines("a\nb\n\n") == "a\nb");
  CHECK(last_lines("\x1b[32m\x1b[1mVITE\x1b[22m v8\x1b[39m\r\n"
                   "\x1b]0;title\x07ready\x1b]8;;http://h\x1b\\!")
        == "VITE v8\nready!");
  CHECK(last_lines("gr\xc3\xbc\xc3\x9f") == "gr\xc3\xbc\xc3\x9f");
  CHECK(last_lines("\xff\xc3") == "??");
  CHECK(last_lines("\x1b") == "");
  CHECK(last_lines("a\x1b[") == "a");
  std::string many;
  for (int i = 0; i < 100; ++i)
    many += std::to_string(i) + "\n";
  CHECK_THAT(last_lines(many), Catch::Matchers::StartsWith("80\n81\n"));
  CHECK(last_lines(std::string(100'000, 'x')).size() == 8192);
}

TEST_CASE("a session that is over says so") {
  proxy_node node{hello};
  node.over = true;
  http_client client{node.port()};
  client.send(node.get("/", navigation));
  auto page = client.receive();
  CHECK(page.status == 410);
  CHECK_THAT(page.body, Contains("Its status is &quot;expired&quot; since "
                                 "2031-02-03T04:05:06Z: its time &lt;was&gt; "
                                 "over. What ran"));
  client.send(node.get("/app.js"));
  auto script = client.receive();
  CHECK(script.status == 410);
  CHECK(script.body.empty());
  // Who may not look into the session is not told why.
  client.send(request_to(node.host(), "/", navigation));
  auto stranger = client.receive();
  CHECK(stranger.status == 410);
  CHECK_THAT(stranger.body, Contains("since 2031-02-03T04:05:06Z. What ran"));
  auto other = node.host();
  other.replace(other.find("cccc"), 4, "dddd");
  CHECK(status_of(node, request_to(other)) == 404);
}

TEST_CASE(
  "of the idle connections to an app the newest is used, none for long") {
  using http::proxy::app_pool;
  asio::io_context io;
  std::vector<unique_fd> far_ends;
  auto connected = [&] {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data())
            == 0);
    far_ends.emplace_back(ends[1]);
    return std::make_unique<client_connection>(
      plain_stream(io, unique_fd{ends[0]}));
  };
  app_pool pool;
  const app_pool::place app{preview_sid, 3000};
  auto newest = connected();
  const auto* expected = newest.get();
  pool.put(app, connected());
  pool.put(app, std::move(newest));
  CHECK(pool.take({preview_sid, 3001}, app_pool::use::once) == nullptr);
  CHECK(pool.take(app, app_pool::use::once).get() == expected);
  pool.expire(app_pool::clock::now() + app_pool::idle_time);
  CHECK(pool.take(app, app_pool::use::repeatable) == nullptr);
  // One whose app has hung up is not for what is asked once.
  pool.put(app, connected());
  far_ends.clear();
  CHECK(pool.take(app, app_pool::use::once) == nullptr);
  pool.put(app, connected());
  CHECK(pool.take(app, app_pool::use::once) != nullptr);
}

TEST_CASE("an app that restarts between two requests is asked again") {
  std::atomic<int> asked = 0;
  proxy_node node{[&](server_connection& of) -> asio::awaitable<void> {
    // The second request on a connection finds it gone.
    if (++asked == 2)
      of.close();
    else
      co_await of.reply(answer(200), "hello", 30s);
  }};
  http_client client{node.port()};
  for (int i = 0; i < 2; ++i) {
    client.send(node.get("/"));
    CHECK(client.receive().status == 200);
  }
  CHECK(node.connections == 2);
}

TEST_CASE("what an app may have done already it is not asked to do again") {
  std::atomic<int> asked = 0;
  proxy_node node{[&](server_connection& of) -> asio::awaitable<void> {
    if (++asked == 2)
      of.close();
    else
      co_await of.reply(answer(200), "done", 30s);
  }};
  http_client client{node.port()};
  client.send(node.get("/"));
  CHECK(client.receive().status == 200);
  client.send("POST /pay HTTP/1.1\r\nHost: " + node.host() + "\r\nX-API-Key: "
              + preview_secret + "\r\nContent-Length: 0\r\n\r\n");
  CHECK(client.receive().status == 502);
  CHECK(asked == 2);
}

TEST_CASE("an app that hangs up or speaks no HTTP is a bad gateway") {
  proxy_node node{[](server_connection& of) -> asio::awaitable<void> {
    if (of.head().target == "/odd")
      co_await of.stream().write(asio::buffer("what?\r\n\r\n", 9), 30s);
    of.close();
  }};
  CHECK(status_of(node, node.get("/")) == 502);
  http_client client{node.port()};
  client.send(node.get("/odd", "Accept: text/html\r\n"));
  auto odd = client.receive();
  CHECK(odd.status == 502);
  CHECK_THAT(odd.body, Contains("this is no HTTP message"));
}

TEST_CASE("an app's coding that nobody undoes is a bad gateway") {
  proxy_node node{[](server_connection& of) -> asio::awaitable<void> {
    const auto coding = of.head().target.substr(1);
    const auto text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + coding
                      + "\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    co_await of.stream().write(asio::buffer(text), 30s);
    of.close();
  }};
  for (const std::string coding : {"gzip,chunked", "gzip", "x-own"}) {
    INFO(coding);
    http_client client{node.port()};
    client.send(node.get("/" + coding, "Accept: text/html\r\n"));
    auto got = client.receive();
    CHECK(got.status == 502);
    CHECK_THAT(got.body,
               Contains("no Transfer-Encoding but chunked is understood"));
  }
  http_client client{node.port()};
  client.send(node.get("/Chunked"));
  CHECK(client.receive_head().status == 200);
  CHECK(client.read_stream_to_end() == "abc");
  // That is none, and the body ends with the connection.
  http_client old{node.port()};
  old.send(node.get("/identity"));
  CHECK(old.receive_head().status == 200);
  CHECK(old.read_stream_to_end() == "3\r\nabc\r\n0\r\n\r\n");
}

TEST_CASE("a request's coding that nobody undoes is answered with 501") {
  proxy_node node{echo_body};
  for (const std::string coding : {"gzip, chunked", "gzip", "identity",
                                   "gzip\r\nTransfer-Encoding: chunked"}) {
    INFO(coding);
    http_client client{node.port()};
    client.send("GET / HTTP/1.1\r\nHost: " + node.host()
                + "\r\nX-API-Key: " + preview_secret
                + "\r\nAccept: text/html\r\n" + "Transfer-Encoding: " + coding
                + "\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    auto got = client.receive();
    CHECK(got.status == 501);
    CHECK_THAT(got.body,
               Contains("no Transfer-Encoding but chunked is understood"));
    CHECK(client.is_closed());
  }
  CHECK(node.seen().empty());
}

TEST_CASE("an app is asked before the body of a request has begun") {
  proxy_node node{[](server_connection& of) -> asio::awaitable<void> {
    of.begin(answer(200), std::nullopt);
    co_await of.write("ready ", 30s);
    auto piece = co_await of.read_body(30s);
    auto text = "got " + std::string{piece};
    co_await of.write(text, 30s);
    co_await of.finish(30s);
  }};
  http_client client{node.port()};
  client.send("POST / HTTP/1.1\r\nHost: " + node.host() + "\r\nX-API-Key: "
              + preview_secret + "\r\nTransfer-Encoding: chunked\r\n\r\n");
  CHECK(client.receive_head().status == 200);
  client.read_stream_until("ready");
  client.send("3\r\nabc\r\n0\r\n\r\n");
  CHECK(client.read_stream_to_end() == "ready got abc");
}

TEST_CASE("a client is told where its body is not waited for") {
  proxy_node node{[](server_connection& of) -> asio::awaitable<void> {
    co_await of.reply(answer(413), "too large", 30s);
  }};
  const auto head = "POST / HTTP/1.1\r\nHost: " + node.host()
                    + "\r\nX-API-Key: " + preview_secret + "\r\n";
  http_client client{node.port()};
  client.send(head + "Content-Length: 4\r\n\r\nbody");
  auto whole = client.receive();
  CHECK(whole.status == 413);
  CHECK_FALSE(whole.headers.contains("connection"));
  client.send(head + "Content-Length: 1000000\r\n\r\nbody");
  auto refused = client.receive();
  CHECK(refused.status == 413);
  CHECK(refused.body == "too large");
  CHECK(refused.headers["connection"] == "close");
}

TEST_CASE("an app that hangs up amid a body is a bad gateway each time") {
  proxy_node node{[](server_connection& of) -> asio::awaitable<void> {
    of.close();
    co_return;
  }};
  auto head = "POST / HTTP/1.1\r\nHost: " + node.host() + "\r\nX-API-Key: "
              + preview_secret + "\r\nContent-Length: 1000000\r\n\r\n";
  for (int i = 0; i < 200; ++i) {
    INFO(i);
    http_client client{node.port()};
    client.send(head + std::string(static_cast<std::size_t>(i) * 4999, 'x'));
    CHECK(client.receive().status == 502);
  }
}

TEST_CASE("only the names of previews are served") {
  proxy_node node{hello};
  auto of = [&](const std::string& host, const std::string& target = "/") {
    return status_of(
      node, request_to(host, target, "X-API-Key: " + preview_secret + "\r\n"));
  };
  auto label = std::to_string(node.app_port()) + '-' + preview_sid;
  CHECK(of(label + ".preview.localhost") == 200);
  CHECK(of(label + ".PREVIEW.localhost.:80") == 200);
  for (auto& host :
       {std::string{"evil.example"}, label + ".preview.localhost.evil.example",
        label + ".evil-preview.localhost", label + ".x.preview.localhost",
        "8080@" + label + ".evil", std::string{"preview.localhost.evil"},
        label + ".preview.localhost:1x"})
    CHECK(of(host) == 403);
  for (auto& host :
       {"0-" + preview_sid, "65536-" + preview_sid, "080-" + preview_sid,
        "-" + preview_sid, "80-" + preview_sid + "x",
        "80-" + preview_sid.substr(1), std::string{"x"}})
    CHECK(of(host + ".preview.localhost") == 404);
  CHECK(of(label + ".preview.localhost", "http://169.254.169.254/") == 400);
  CHECK(status_of(node, "GET / HTTP/1.1\r\nHost: " + node.host()
                          + "\r\nHost: evil\r\n\r\n")
        == 400);
  CHECK(status_of(node, "GET / HTTP/1.1\r\n\r\n") == 400);
  CHECK(of("127.0.0.1", "/") == 404);
}

TEST_CASE("requests that could be read in two ways reach no app") {
  proxy_node node{echo_body};
  auto head = "POST / HTTP/1.1\r\nHost: " + node.host()
              + "\r\nX-API-Key: " + preview_secret + "\r\n";
  CHECK(status_of(node, head
                          + "Content-Length: 5\r\nTransfer-Encoding: "
                            "chunked\r\n\r\n0\r\n\r\n")
        == 400);
  CHECK(status_of(node, head + "Transfer-Encoding: chunked, x\r\n\r\n") == 501);
  CHECK(status_of(node, head + "Transfer-Encoding : chunked\r\n\r\n") == 400);
  CHECK(status_of(node, head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n")
        == 400);
  CHECK(node.seen().empty());
  // A chunk that is none ends the connection; what follows is no request.
  http_client client{node.port()};
  client.send(head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n"
              + node.get("/smuggled"));
  try {
    client.receive_head();
    client.read_stream_to_end();
    FAIL("a body that is cut short must not look whole");
  } catch (const std::runtime_error&) {
    SUCCEED();
  }
  for (auto& one : node.seen())
    CHECK_THAT(one, !Contains("smuggled"));
}

TEST_CASE("an app's cookies stay with it, and none is named like ours") {
  proxy_node node{[](server_connection& of) -> asio::awaitable<void> {
    auto head = answer(200);
    // Of a cookie without a name a browser sends what is behind the mark.
    head.headers.add("Set-Cookie", "= greenroom-preview=evil; Path=/");
    head.headers.add("Set-Cookie", "a=1; Domain=preview.localhost; Path=/x");
    head.headers.add("Set-Cookie", "__host-Greenroom-Preview=evil; Path=/");
    head.headers.add("Set-Cookie", "=greenroom-login=evil; Path=/");
    head.headers.add("Access-Control-Allow-Origin", "*");
    co_await of.reply(head, "", 30s);
  }};
  http_client client{node.port()};
  client.send(node.get("/"));
  auto got = client.receive_head();
  CHECK(got.headers["set-cookie"] == "a=1; Path=/x");
  CHECK(got.headers["access-control-allow-origin"] == "*");
}

TEST_CASE("a preview by path is told its prefix and kept below it") {
  proxy_node node{[](server_connection& of) -> asio::awaitable<void> {
    auto head = answer(302);
    head.headers.add("Location", "/login");
    head.headers.add("Set-Cookie", "a=1; Path=/x");
    co_await of.reply(head, "", 30s);
  }};
  auto prefix =
    "/preview/" + preview_sid + '/' + std::to_string(node.app_port());
  http_client client{node.port()};
  client.send(request_to("127.0.0.1:1", prefix + "?q"));
  auto slash = client.receive_head();
  CHECK(slash.status == 308);
  CHECK(slash.headers["location"] == prefix + "/?q");
  http_client other{node.port()};
  other.send(request_to("localhost:1", prefix + "/a?b",
                        "X-API-Key: " + preview_secret + "\r\n"));
  auto got = other.receive_head();
  CHECK(got.headers["location"] == prefix + "/login");
  CHECK(got.headers["set-cookie"] == "a=1; Path=" + prefix + "/x");
  CHECK_THAT(node.seen().at(0), Contains("GET /a?b\r\n"));
  CHECK_THAT(node.seen().at(0),
             Contains("X-Forwarded-Prefix: " + prefix + "\r\n"));
}

TEST_CASE("without a domain a link by path opens what its cookie then does") {
  proxy_node node{[](server_connection& of) -> asio::awaitable<void> {
                    if (of.head().upgrade().empty()) {
                      co_await of.reply(answer(200), "hello", 30s);
                      co_return;
                    }
                    auto head = answer(101, "");
                    head.headers.add("Connection", "Upgrade");
                    head.headers.add("Upgrade", of.head().upgrade());
                    co_await of.switch_protocols(head, 30s);
                    co_await of.stream().write(asio::buffer("hi", 2), 30s);
                    of.close();
                  },
                  [](auto& o) { o.preview_domain.clear(); }};
  const auto host = "127.0.0.1:" + std::to_string(node.port());
  const auto below = [](const std::string& port) {
    return "/preview/" + preview_sid + '/' + port;
  };
  const auto prefix = below(std::to_string(node.app_port()));
  auto token = node.add_link();
  http_client client{node.port()};
  client.send(request_to(host, prefix + "/a?x=1&greenroom_token=" + token));
  auto opened = client.receive_head();
  CHECK(opened.status == 303);
  CHECK(opened.headers["location"] == prefix + "/a?x=1");
  auto cookie = opened.headers["set-cookie"];
  CHECK_THAT(cookie, Contains("Path=" + prefix + "/; "));
  auto with = "Cookie: " + cookie.substr(0, cookie.find(';')) + "\r\n";
  CHECK(status_of(node, request_to(host, prefix + "/a?x=1", with)) == 200);
  CHECK(status_of(node, request_to(host, prefix + "/a")) == 401);
  CHECK(status_of(node, request_to(host, below("9") + "/a", with)) == 401);
  http_client socket{node.port()};
  socket.send(
    request_to(host, prefix + "/ws",
               with + "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
  CHECK(socket.receive_head().status == 101);
  CHECK(socket.receive_bytes(2) == "hi");
  CHECK_THAT(node.seen().back(), Contains("GET /ws\r\n"));
  CHECK_THAT(node.seen().back(), !Contains(token));
}

TEST_CASE("without a domain no host stands for a port") {
  proxy_node node{hello, [](auto& o) {
                    o.preview_domain.clear();
                    o.preview_url = "https://apps.example.org:8443";
                  }};
  const auto prefix =
    "/preview/" + preview_sid + '/' + std::to_string(node.app_port()) + '/';
  const auto key = "X-API-Key: " + preview_secret + "\r\n";
  auto of = [&](const std::string& host, const std::string& target) {
    return status_of(node, request_to(host, target, key));
  };
  CHECK(of("apps.example.org:8443", prefix) == 200);
  CHECK(of("Apps.example.org", prefix) == 200);
  CHECK(of("localhost", prefix) == 200);
  CHECK(of(node.host(), "/") == 403);
  CHECK(of("other.example.org", prefix) == 403);
  auto label = std::to_string(node.app_port()) + '-' + preview_sid;
  CHECK(of(label + '.', "/") == 403);
  CHECK(of(label + ".apps.example.org", "/") == 403);
}

TEST_CASE("an app that redirects to its local name means its public one") {
  proxy_node node{[](server_connection& of) -> asio::awaitable<void> {
    auto head = answer(302);
    head.headers.add("Location", "http://"
                                   + std::string{of.head().headers.get("Host")}
                                   + "/next");
    co_await of.reply(head, "", 30s);
  }};
  http_client client{node.port()};
  client.send(node.get("/"));
  CHECK(client.receive_head().headers["location"]
        == "http://" + node.host() + "/next");
}

TEST_CASE("an app's own name needs no port that its scheme has anyway") {
  http::proxy::preview_target target;
  target.port = 80;
  target.host = "80-" + preview_sid + ".preview.localhost:8081";
  const auto leads_to = [&](const std::string& location) {
    auto head = answer(302);
    head.headers.add("Location", location);
    const http::proxy::forwarding how{target, "127.0.0.1", "http"};
    const auto passed = http::proxy::answer_from_app(head, how);
    return std::string{passed.headers.get("Location")};
  };
  const auto own = "http://" + target.host;
  CHECK(leads_to("http://localhost/next") == own + "/next");
  CHECK(leads_to("http://localhost:80/next") == own + "/next");
  CHECK(leads_to("http://127.0.0.1?a") == own + "?a");
  CHECK(leads_to("http://[::1]#a") == own + "#a");
  for (auto other : {"http://localhost.example/", "http://localhost:8080/",
                     "https://localhost/", "http://localhost@example.org/",
                     "//localhost/", "next"})
    CHECK(leads_to(other) == other);
  // By path, also where the app has been told its prefix.
  target.host = "127.0.0.1:8081";
  target.prefix = "/preview/" + preview_sid + "/80";
  const auto below = "http://" + target.host + target.prefix;
  CHECK(leads_to("http://localhost/next") == below + "/next");
  CHECK(leads_to("http://localhost" + target.prefix + "/next")
        == below + "/next");
  CHECK(leads_to("/next") == target.prefix + "/next");
  CHECK(leads_to(target.prefix + "/next") == target.prefix + "/next");
}
