// A client and a server of HTTP/1.1 that talk to each other.
#include "http/wire/client_connection.hpp"
#include "http/wire/server_connection.hpp"
#include "http/wire/tunnel.hpp"
#include "tests/http/wire/wire_pair.hpp"
#include "tests/support/fuzz_effort.hpp"

#include <boost/asio/buffer.hpp>
#include <catch2/catch.hpp>
#include <malloc.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <random>

using namespace greenroom;
using namespace greenroom::http::wire;
using namespace greenroom::test;
using namespace std::chrono_literals;

namespace {

message_head request(std::string method, std::string target = "/") {
  message_head result;
  result.method = std::move(method);
  result.target = std::move(target);
  result.headers.add("Host", "h");
  return result;
}

message_head answer(int status) {
  message_head result;
  result.status = status;
  return result;
}

asio::awaitable<std::string> read_all(byte_stream& from) {
  std::string result;
  std::array<char, 1000> buffer{};
  for (;;) {
    auto size = co_await from.read(asio::buffer(buffer), byte_stream::never);
    if (size == 0)
      break;
    result.append(buffer.data(), size);
  }
  co_return result;
}

template <class Connection>
asio::awaitable<std::string> whole_body(Connection& from) {
  std::string result;
  for (;;) {
    auto piece = co_await from.read_body(30s);
    if (piece.empty())
      break;
    result += piece;
  }
  co_return result;
}

/// Answers every request with its body, in the form that it came in, and with
/// its method, target and trailers.
asio::awaitable<void> echo(server_connection& of) {
  for (;;) {
    auto more = co_await of.read_head(30s, 30s);
    if (!more)
      break;
    auto head = answer(200);
    head.headers.add("X-Asked", of.head().method + ' ' + of.head().target);
    if (of.head().expects_continue())
      head.headers.add("X-Expected", "yes");
    of.begin(head, of.head().content_length);
    for (;;) {
      auto piece = co_await of.read_body(30s);
      if (piece.empty())
        break;
      co_await of.write(piece, 30s);
    }
    co_await of.finish(30s, of.trailers());
    if (!of.reusable())
      break;
  }
  of.close();
}

} // namespace

TEST_CASE("bodies of any size and framing go both ways") {
  wire_pair pair;
  server_connection server{std::move(pair.a), {}};
  client_connection client{std::move(pair.b)};
  pair.add(echo(server));
  auto talk = [](client_connection& to) -> asio::awaitable<void> {
    for (std::size_t size : {0u, 1u, 100u, 65'536u, 65'537u, 3'000'000u})
      for (auto sized : {true, false}) {
        std::string body(size, 'x');
        auto head = request("POST", "/" + std::to_string(size));
        to.begin(head, true,
                 sized ? std::optional<std::uint64_t>{size} : std::nullopt);
        // What is echoed has to be read while the rest is sent.
        std::string got;
        for (std::size_t at = 0; at < size; at += 50'000) {
          co_await to.write(std::string_view{body}.substr(at, 50'000), 30s);
          if (at == 0)
            co_await to.read_head(30s);
          while (got.size() + 100'000 < at)
            got += co_await to.read_body(30s);
        }
        header_list trailers;
        trailers.add("X-Sum", "7");
        co_await to.finish(30s, trailers);
        if (size == 0)
          co_await to.read_head(30s);
        got += co_await whole_body(to);
        CHECK(got.size() == size);
        CHECK(to.head().status == 200);
        CHECK(to.head().reason == "OK");
        CHECK(to.head().headers.get("X-Asked")
              == "POST /" + std::to_string(size));
        CHECK(to.trailers().get("X-Sum") == (sized ? "" : "7"));
        REQUIRE(to.reusable());
      }
    to.close();
  };
  pair.add(talk(client));
  pair.run();
}

TEST_CASE("interim answers, HEAD and statuses without a body") {
  wire_pair pair;
  server_connection server{std::move(pair.a), {}};
  client_connection client{std::move(pair.b)};
  auto serve = [](server_connection& of) -> asio::awaitable<void> {
    co_await of.read_head(30s, 30s);
    auto hints = answer(103);
    hints.headers.add("Link", "</a>");
    co_await of.interim(hints, 30s);
    co_await of.reply(answer(200), "twelve bytes", 30s);
    co_await of.read_head(30s, 30s);
    co_await of.reply(answer(204), "", 30s);
    co_await of.read_head(30s, 30s);
    co_await of.reply(answer(299), "x", 30s);
    CHECK(of.reusable());
  };
  auto talk = [](client_connection& to) -> asio::awaitable<void> {
    std::string body;
    to.begin(request("HEAD"), false, std::nullopt);
    co_await to.finish(30s);
    co_await to.read_head(30s);
    CHECK(to.head().status == 103);
    CHECK(to.head().headers.get("Link") == "</a>");
    co_await to.read_head(30s);
    CHECK(to.head().status == 200);
    CHECK(to.length() == 12u);
    body = co_await whole_body(to);
    CHECK(body == "");
    REQUIRE(to.reusable());
    to.begin(request("GET"), false, std::nullopt);
    co_await to.finish(30s);
    co_await to.read_head(30s);
    CHECK(to.head().status == 204);
    CHECK(to.head().headers.count("Content-Length") == 0);
    REQUIRE(to.reusable());
    to.begin(request("PURGE"), false, std::nullopt);
    co_await to.finish(30s);
    co_await to.read_head(30s);
    CHECK(to.head().status == 299);
    body = co_await whole_body(to);
    CHECK(body == "x");
  };
  pair.add(serve(server));
  pair.add(talk(client));
  pair.run();
}

TEST_CASE("a client that waits to be told is told once the body is wanted") {
  wire_pair pair;
  server_connection server{std::move(pair.a), {}};
  client_connection client{std::move(pair.b)};
  pair.add(echo(server));
  auto talk = [](client_connection& to) -> asio::awaitable<void> {
    std::string body;
    auto head = request("PUT");
    head.headers.add("Expect", "100-continue");
    to.begin(head, true, 2);
    co_await to.flush(30s);
    co_await to.write("ab", 30s);
    co_await to.finish(30s);
    co_await to.read_head(30s);
    CHECK(to.head().headers.get("X-Expected") == "yes");
    body = co_await whole_body(to);
    CHECK(body == "ab");
    to.close();
  };
  pair.add(talk(client));
  pair.run();
}

TEST_CASE("after an upgrade the bytes are the tunnel's, both ways") {
  wire_pair outside;
  server_connection server{std::move(outside.a), {}};
  client_connection client{std::move(outside.b)};
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data())
          == 0);
  auto near_end = plain_stream(outside.io, unique_fd{ends[0]});
  auto app = plain_stream(outside.io, unique_fd{ends[1]});
  auto serve = [](server_connection& of,
                  byte_stream& to) -> asio::awaitable<void> {
    co_await of.read_head(30s, 30s);
    CHECK(of.head().upgrade() == "odd");
    auto head = answer(101);
    head.headers.add("Connection", "Upgrade");
    head.headers.add("Upgrade", "odd");
    co_await of.switch_protocols(head, 30s);
    // Named, because GCC 12 destroys twice what is made inside of a co_await.
    tunnel_end client_end{of.stream(), of.take_rest()};
    tunnel_end app_end{to, {}};
    co_await run_tunnel(std::move(client_end), std::move(app_end), 30s);
  };
  auto talk = [](client_connection& to) -> asio::awaitable<void> {
    auto head = request("GET");
    head.headers.add("Connection", "Upgrade");
    head.headers.add("Upgrade", "odd");
    to.begin(head, false, std::nullopt);
    co_await to.finish(30s);
    co_await to.stream().write(asio::buffer("early", 5), 30s);
    co_await to.read_head(30s);
    CHECK(to.head().status == 101);
    CHECK(to.head().upgrade() == "odd");
    auto got = to.take_rest();
    to.stream().shutdown_send();
    got += co_await read_all(to.stream());
    CHECK(got == "hello, early");
  };
  auto run_app = [](byte_stream& of) -> asio::awaitable<void> {
    auto got = co_await read_all(of);
    // It has seen the end, and can still answer.
    auto text = "hello, " + got;
    co_await of.write(asio::buffer(text), 30s);
    of.close();
  };
  outside.add(serve(server, *near_end));
  outside.add(talk(client));
  outside.add(run_app(*app));
  outside.run();
}

TEST_CASE("what a body needs is given back with it") {
  wire_pair pair;
  const std::string body(100'000, 'x');
  const auto text = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: "
                    + std::to_string(body.size()) + "\r\n\r\n" + body;
  message_reader reader{*pair.a, message_kind::request, {}};
  auto send = [](byte_stream& to,
                 const std::string& bytes) -> asio::awaitable<void> {
    co_await to.write(asio::buffer(bytes), 30s);
  };
  auto take = [](message_reader& from) -> asio::awaitable<void> {
    from.start();
    auto begun = co_await from.read_head(byte_stream::never);
    CHECK(begun);
    auto all = co_await whole_body(from);
    CHECK(all.size() == 100'000);
  };
  pair.add(send(*pair.b, text));
  pair.add(take(reader));
  constexpr std::size_t most_of_it = 60 * 1024;
  const auto before = ::mallinfo2().uordblks;
  pair.run();
  const auto held = ::mallinfo2().uordblks;
  reader.start();
  // A sanitizer's allocator says nothing.
  if (held >= before + most_of_it)
    CHECK(held >= ::mallinfo2().uordblks + most_of_it);
}

TEST_CASE("a peer that is late is lost, and the other learns that it was") {
  wire_pair pair;
  client_connection client{std::move(pair.b)};
  auto talk = [](client_connection& to) -> asio::awaitable<void> {
    to.begin(request("GET"), false, std::nullopt);
    co_await to.finish(30s);
    auto late = false;
    try {
      co_await to.read_head(1ms);
    } catch (const lost& e) {
      late = e.late();
    }
    CHECK(late);
  };
  pair.add(talk(client));
  pair.io.poll();
  client.check_deadlines(byte_stream::clock::now() + 1s);
  pair.run();
}

TEST_CASE("a header with a line break is sent by neither side") {
  header_list bad;
  bad.add("X", "a\r\nSet-Cookie: b");
  std::string text;
  CHECK_THROWS_AS(append_headers(text, bad), bad_message);
  header_list fine;
  fine.add("X", "a\tb");
  text.clear();
  append_headers(text, fine);
  CHECK(text == "X: a\tb\r\n");
}

TEST_CASE("whatever a client sends is answered or ends, and costs no more") {
  fuzz_effort effort{300};
  std::mt19937 random{effort.seed()};
  const std::vector<std::string> seeds{
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n",
    "HEAD /x HTTP/1.0\r\n\r\n"};
  while (effort.next()) {
    std::string bytes;
    for (auto count = 1 + random() % 3; count > 0; --count)
      bytes += seeds[random() % seeds.size()];
    for (auto changes = random() % 4; changes > 0; --changes)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    wire_pair pair;
    server_connection server{std::move(pair.a), {}};
    auto serve = [](server_connection& of) -> asio::awaitable<void> {
      try {
        co_await echo(of);
      } catch (const lost&) {
      } catch (const bad_message& e) {
        CHECK(e.status() >= 400);
      }
      of.close();
    };
    auto talk = [](byte_stream& to, std::string text,
                   std::size_t step) -> asio::awaitable<void> {
      try {
        for (std::size_t at = 0; at < text.size(); at += step) {
          auto piece = text.substr(at, step);
          co_await to.write(asio::buffer(piece), 30s);
        }
        to.shutdown_send();
        auto got = co_await read_all(to);
        CHECK(got.size() < 10'000);
      } catch (const lost&) {
      }
    };
    pair.add(serve(server));
    pair.add(talk(*pair.b, bytes, 1 + random() % 100));
    pair.run();
  }
}

TEST_CASE("a peer that is gone without a word is noticed") {
  for (auto family : {AF_INET, AF_INET6}) {
    asio::io_context io;
    unique_fd socket{::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!socket)
      continue; // no IPv6
    auto fd = socket.get();
    auto stream = plain_stream(io, std::move(socket));
    auto option = [&](int level, int name) {
      int value = 0;
      socklen_t size = sizeof value;
      REQUIRE(::getsockopt(fd, level, name, &value, &size) == 0);
      return value;
    };
    CHECK(option(SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(option(IPPROTO_TCP, TCP_KEEPIDLE) <= 60);
    CHECK(option(IPPROTO_TCP, TCP_USER_TIMEOUT) == 60'000);
    CHECK(option(IPPROTO_TCP, TCP_NODELAY) == 1);
  }
}
