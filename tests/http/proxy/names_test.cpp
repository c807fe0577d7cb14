// By which names previews are served, over raw sockets.
#include "tests/http/proxy/preview_requests.hpp"

#include <boost/asio/buffer.hpp>
#include <catch2/catch.hpp>

#include <string>

using namespace greenroom;
using namespace greenroom::test;
using namespace greenroom::http::wire;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

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
