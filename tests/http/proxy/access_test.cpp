// Who is let in to a preview, and for how long, over raw sockets.
#include "tests/http/proxy/preview_requests.hpp"
#include "tests/support/eventually.hpp"

#include <catch2/catch.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

using namespace greenroom;
using namespace greenroom::test;
using namespace greenroom::http::wire;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

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
