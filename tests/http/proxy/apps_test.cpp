// Apps that are not there, not yet or no more, and what they do wrong, over raw
// sockets.
#include "http/proxy/last_output.hpp"
#include "tests/http/proxy/preview_requests.hpp"

#include <boost/asio/buffer.hpp>
#include <catch2/catch.hpp>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace greenroom;
using namespace greenroom::test;
using namespace greenroom::http::wire;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

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

TEST_CASE("an app whose session has just ended is not waited for") {
  proxy_node node{hello};
  node.known_live = true;
  node.over = true;
  node.listening = false;
  http_client client{node.port()};
  client.send(node.get("/", navigation));
  auto page = client.receive();
  CHECK(page.status == 410);
  CHECK_THAT(page.body, Contains("This session is over"));
  CHECK(status_of(node, node.get("/data")) == 410);
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
  CHECK(pool.take({preview_sid, 3001}) == nullptr);
  CHECK(pool.take(app).get() == expected);
  pool.expire(app_pool::clock::now() + app_pool::idle_time);
  CHECK(pool.take(app) == nullptr);
  // One whose app has hung up is for nobody.
  pool.put(app, connected());
  far_ends.clear();
  CHECK(pool.take(app) == nullptr);
  pool.put(app, connected());
  CHECK(pool.take(app) != nullptr);
  // Nor one on which the app has said something since, as that it is too late.
  pool.put(app, connected());
  REQUIRE(::send(far_ends.back().get(), "HTTP/1.1 408", 12, 0) == 12);
  CHECK(pool.take(app) == nullptr);
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
