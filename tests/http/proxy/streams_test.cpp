// Bodies, streams and tunnels through previews, over raw sockets.
#include "tests/http/proxy/preview_requests.hpp"
#include "tests/support/eventually.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

using namespace greenroom;
using namespace greenroom::test;
using namespace greenroom::http::wire;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

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
