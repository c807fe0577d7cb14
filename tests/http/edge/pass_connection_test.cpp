// A client's connection that another node serves, which may refuse it.
#include "http/edge/pass_connection.hpp"

#include "tests/http/wire/wire_pair.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>

#include <utility>

using namespace greenroom;
using namespace greenroom::http;
using namespace greenroom::test;
using namespace std::chrono_literals;

namespace {

/// A client, this node, and another node, on one loop.
struct three : wire_pair {
  three() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
      throw std::runtime_error("socketpair");
    near = wire::plain_stream(io, unique_fd{ends[0]});
    far = wire::plain_stream(io, unique_fd{ends[1]});
    front = std::make_unique<wire::server_connection>(std::move(b), "");
  }

  asio::awaitable<void> say(wire::byte_stream& by, std::string_view text) {
    wire::byte_stream::pieces pieces{asio::buffer(text)};
    co_await by.write(pieces, 30s);
  }

  asio::awaitable<std::string> hear(wire::byte_stream& by,
                                    std::string_view last) {
    std::string result;
    std::array<char, 1000> room{};
    while (!result.ends_with(last)) {
      auto size =
        co_await by.read(asio::buffer(room), wire::byte_stream::never);
      if (size == 0)
        break;
      result.append(room.data(), size);
    }
    co_return result;
  }

  std::unique_ptr<wire::byte_stream> near; // of this node, to the other
  std::unique_ptr<wire::byte_stream> far;
  std::unique_ptr<wire::server_connection> front;
  peer_relay relay{"a", 30s, false, "192.0.2.1"};
  int looks = 0; // for the owner

  /// What the connection's owner does now and then, often.
  asio::awaitable<void> look_often() {
    asio::steady_timer timer{io};
    for (int i = 0; i < 50; ++i) {
      timer.expires_after(2ms);
      co_await timer.async_wait(asio::use_awaitable);
      relay.check_deadlines(wire::byte_stream::clock::now(), *front);
    }
  }

  /// Whether the connection to the other node ends while its owner looks.
  asio::awaitable<bool> hears_the_end() {
    co_await look_often();
    std::array<char, 8> room{};
    auto size =
      co_await far->read(asio::buffer(room), wire::byte_stream::never);
    co_return size == 0;
  }
};

// Passes on what the client asks for, by a node that takes b for the owner.
asio::awaitable<void> pass(three& all, whereabouts owner, bool& passed) {
  co_await all.front->read_head(30s, 30s);
  auto& relay = all.relay;
  relay.begin(all.front->head());
  const look_up_owner look_up = [&]() -> asio::awaitable<whereabouts> {
    ++all.looks;
    co_return std::exchange(owner, whereabouts{});
  };
  const connect_node connect =
    [&](
      std::string node) -> asio::awaitable<std::unique_ptr<wire::byte_stream>> {
    CHECK(node == "b");
    co_return std::move(all.near);
  };
  passed = co_await relay.pass_on(*all.front, look_up, connect);
}

// The same to b, for a maker that hears of a lost client.
asio::awaitable<void> pass_until_lost(three& all, bool& passed) {
  try {
    const whereabouts node{"b", 7};
    co_await pass(all, node, passed);
  } catch (const wire::lost&) {
  }
}

} // namespace

TEST_CASE("a body is not taken from the client before the owner wants it") {
  three all;
  auto passed = false;
  std::string asked;
  std::string body;
  std::string heard;
  auto client = [&]() -> asio::awaitable<void> {
    co_await all.say(*all.a, "POST /git/x HTTP/1.1\r\nHost: h\r\n"
                             "Content-Length: 4\r\n\r\nbody");
    heard = co_await all.hear(*all.a, "ok");
    all.a->close();
  };
  auto owner = [&]() -> asio::awaitable<void> {
    asked = co_await all.hear(*all.far, "\r\n\r\n");
    co_await all.say(*all.far, "HTTP/1.1 100 Continue\r\n\r\n");
    body = co_await all.hear(*all.far, "body");
    co_await all.say(*all.far,
                     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    all.far->close();
  };
  all.add(client());
  all.add(owner());
  all.add(pass(all, {"b", 7}, passed));
  all.run();
  CHECK_THAT(asked, Catch::Contains("\r\nX-Greenroom-Via: a@7\r\n"));
  CHECK_THAT(asked, Catch::Contains("\r\nExpect: 100-continue\r\n"));
  CHECK(asked.ends_with("\r\n\r\n"));
  CHECK(body == "body");
  CHECK(passed);
  CHECK(heard == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

TEST_CASE("a body of HTTP/1.0 goes along, for it cannot be asked for") {
  three all;
  auto passed = false;
  std::string asked;
  std::string heard;
  auto client = [&]() -> asio::awaitable<void> {
    co_await all.say(*all.a, "POST /git/x HTTP/1.0\r\nHost: h\r\n"
                             "Content-Length: 4\r\n\r\nbo");
    co_await all.say(*all.a, "dy");
    heard = co_await all.hear(*all.a, "ok");
    all.a->close();
  };
  // It says nothing before it has all of the request.
  auto owner = [&]() -> asio::awaitable<void> {
    asked = co_await all.hear(*all.far, "body");
    co_await all.say(*all.far, "HTTP/1.1 200 OK\r\n\r\nok");
    all.far->close();
  };
  all.add(client());
  all.add(owner());
  all.add(pass(all, {"b", 7}, passed));
  all.run();
  CHECK_THAT(asked, Catch::Contains("POST /git/x HTTP/1.0\r\n"));
  CHECK_THAT(asked, Catch::Contains("\r\nX-Greenroom-Via: a@7\r\n"));
  CHECK_THAT(asked, !Catch::Contains("Expect"));
  CHECK(passed);
  CHECK(heard == "HTTP/1.1 200 OK\r\n\r\nok");
}

TEST_CASE("who is not the owner says so, and the client's body is untouched") {
  three all;
  auto passed = false;
  auto client = [&]() -> asio::awaitable<void> {
    co_await all.say(*all.a, "POST /git/x HTTP/1.1\r\nHost: h\r\n"
                             "Content-Length: 4\r\n\r\nbody");
  };
  auto other = [&]() -> asio::awaitable<void> {
    wire::server_connection served{std::move(all.far), ""};
    co_await served.read_head(30s, 30s);
    peer_relay relay{"b", 30s, true};
    relay.begin(served.head());
    CHECK(relay.by() == passage{"a", 7});
    const look_up_owner look_up = []() -> asio::awaitable<whereabouts> {
      co_return whereabouts{"c", 8};
    };
    auto answered = co_await relay.pass_on(served, look_up, nullptr);
    CHECK(answered);
    CHECK(served.status() == 503);
    served.close();
  };
  all.add(client());
  all.add(other());
  all.add(pass(all, {"b", 7}, passed));
  all.run();
  CHECK_FALSE(passed); // it is ours by now
  CHECK(all.looks == 2);
  auto read = [&]() -> asio::awaitable<void> {
    auto body = co_await all.front->read_body(30s);
    CHECK(body == "body");
  };
  all.add(read());
  all.run();
}

TEST_CASE("a client's own mark goes no further, and is not believed") {
  three all;
  auto passed = false;
  std::string asked;
  auto client = [&]() -> asio::awaitable<void> {
    co_await all.say(*all.a, "GET /git/x HTTP/1.1\r\nHost: h\r\n"
                             "x-greenroom-via: c@9\r\n"
                             "x-greenroom-client: 192.0.2.9\r\n\r\n");
    co_await all.hear(*all.a, "ok");
    all.a->close();
  };
  auto owner = [&]() -> asio::awaitable<void> {
    asked = co_await all.hear(*all.far, "\r\n\r\n");
    co_await all.say(*all.far,
                     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    all.far->close();
  };
  all.add(client());
  all.add(owner());
  all.add(pass(all, {"b", 7}, passed));
  all.run();
  CHECK(passed);
  CHECK_THAT(asked, Catch::Contains("\r\nX-Greenroom-Via: a@7\r\n"));
  CHECK_THAT(asked, Catch::Contains("\r\nX-Greenroom-Client: 192.0.2.1\r\n"));
  CHECK_THAT(asked, !Catch::Contains("c@9") && !Catch::Contains("192.0.2.9"));
}

TEST_CASE("only the first request that another node passes on is marked") {
  wire::message_head marked;
  marked.headers.add(via_header, "a@7");
  marked.headers.add(client_header, "192.0.2.1");
  peer_relay of_node{"b", 30s, true, "127.0.0.1"};
  of_node.begin(marked);
  CHECK(of_node.by() == passage{"a", 7});
  of_node.begin(marked); // the client's, on the same connection
  CHECK(of_node.by() == std::nullopt);
  CHECK(of_node.client() == "192.0.2.1");
  peer_relay of_client{"b", 30s, false, "127.0.0.1"};
  of_client.begin(marked);
  CHECK(of_client.by() == std::nullopt);
  CHECK(of_client.client() == "127.0.0.1");
}

TEST_CASE("a client that sends no more gets the owner's late answer") {
  three all;
  auto passed = false;
  std::string heard;
  auto client = [&]() -> asio::awaitable<void> {
    co_await all.say(*all.a, "GET /git/x HTTP/1.1\r\nHost: h\r\n\r\n");
    all.a->shutdown_send();
    heard = co_await all.hear(*all.a, "ok");
    all.a->close();
  };
  auto owner = [&]() -> asio::awaitable<void> {
    co_await all.hear(*all.far, "\r\n\r\n");
    co_await all.look_often();
    co_await all.say(*all.far,
                     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    all.far->close();
  };
  all.add(client());
  all.add(owner());
  all.add(pass(all, {"b", 7}, passed));
  all.run();
  CHECK(passed);
  CHECK_THAT(heard, Catch::Contains("ok"));
}

TEST_CASE("the owner hears of a client that is gone, before it has answered") {
  three all;
  auto passed = false;
  auto heard_of_it = false;
  auto client = [&]() -> asio::awaitable<void> {
    co_await all.say(*all.a, "GET /git/x HTTP/1.1\r\nHost: h\r\n\r\n");
    all.a->close();
  };
  auto owner = [&]() -> asio::awaitable<void> {
    co_await all.hear(*all.far, "\r\n\r\n");
    heard_of_it = co_await all.hears_the_end();
  };
  all.add(client());
  all.add(owner());
  all.add(pass_until_lost(all, passed));
  all.run();
  CHECK(heard_of_it);
  CHECK_FALSE(passed);
}

TEST_CASE("a node that closes a connection waits for no owner's answer") {
  three all;
  auto passed = false;
  auto heard_of_it = false;
  auto client = [&]() -> asio::awaitable<void> {
    co_await all.say(*all.a, "GET /git/x HTTP/1.1\r\nHost: h\r\n\r\n");
    co_await all.hear(*all.a, "never");
  };
  auto owner = [&]() -> asio::awaitable<void> {
    co_await all.hear(*all.far, "\r\n\r\n");
    all.front->close();
    heard_of_it = co_await all.hears_the_end();
  };
  all.add(client());
  all.add(owner());
  all.add(pass_until_lost(all, passed));
  all.run();
  CHECK(heard_of_it);
  CHECK_FALSE(passed);
}

TEST_CASE("what a client waits to be told, the owner tells it") {
  three all;
  auto passed = false;
  std::string asked;
  std::string told;
  auto client = [&]() -> asio::awaitable<void> {
    co_await all.say(*all.a,
                     "PUT /x HTTP/1.1\r\nHost: h\r\n"
                     "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    told = co_await all.hear(*all.a, "\r\n\r\n");
    all.a->close();
  };
  auto owner = [&]() -> asio::awaitable<void> {
    asked = co_await all.hear(*all.far, "\r\n\r\n");
    co_await all.say(*all.far, "HTTP/1.1 100 Continue\r\n\r\n");
    all.far->close();
  };
  all.add(client());
  all.add(owner());
  all.add(pass(all, {"b", 7}, passed));
  all.run();
  CHECK(asked.find("Expect") == asked.rfind("Expect"));
  CHECK(told == "HTTP/1.1 100 Continue\r\n\r\n");
}
