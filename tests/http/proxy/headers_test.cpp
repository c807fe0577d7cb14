// What an app is told of a request, and what is left of its answer's head, over
// raw sockets.
#include "tests/http/proxy/preview_requests.hpp"

#include <boost/asio/buffer.hpp>
#include <catch2/catch.hpp>

#include <optional>
#include <string>

using namespace greenroom;
using namespace greenroom::test;
using namespace greenroom::http::wire;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

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

TEST_CASE("an app is offered no HTTP/2, which clients do without") {
  proxy_node node{[](server_connection& of) -> asio::awaitable<void> {
    if (of.head().target == "/") {
      co_await of.reply(answer(200), "hello", 30s);
      co_return;
    }
    // One that takes it all the same.
    const auto text = switched();
    co_await of.stream().write(asio::buffer(text), 30s);
    of.close();
  }};
  const std::string settings = "HTTP2-Settings: AAMAAABkAAQAAP__\r\n";
  http_client client{node.port()};
  for (const std::string offer :
       {"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n",
        "Connection: upgrade\r\nUpgrade: H2C\r\n"}) {
    INFO(offer);
    client.send(node.get("/", offer + settings));
    CHECK(client.receive().body == "hello");
    for (auto gone : {"Upgrade", "upgrade", "HTTP2", "Connection"})
      CHECK_THAT(node.seen().back(), !Contains(gone));
    CHECK(status_of(node, node.get("/all-the-same", offer + settings)) == 502);
  }
}

TEST_CASE("what is offered beside HTTP/2 reaches the app") {
  proxy_node node{[](server_connection& of) -> asio::awaitable<void> {
    const std::string taken = of.head().target == "/" ? "websocket" : "h2c";
    const auto text = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade"
                      "\r\nUpgrade: "
                      + taken + "\r\n\r\n";
    co_await of.stream().write(asio::buffer(text), 30s);
    of.close();
  }};
  const std::string both[] = {"Upgrade: websocket, h2c\r\n",
                              "Upgrade: H2C\r\nUpgrade: websocket\r\n"};
  for (auto& offer : both) {
    INFO(offer);
    http_client client{node.port()};
    client.send(node.get("/", "Connection: Upgrade, HTTP2-Settings\r\n" + offer
                                + "HTTP2-Settings: AAMAAABkAAQAAP__\r\n"));
    CHECK(client.receive_head().status == 101);
    CHECK_THAT(node.seen().back(),
               Contains("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
    CHECK_THAT(node.seen().back(), !Contains("HTTP2") && !Contains("2C"));
  }
  // It was not offered that.
  CHECK(status_of(node, node.get("/2", "Connection: Upgrade\r\n" + both[0]))
        == 502);
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
