// What becomes of open connections to previews where access changes under them.
#include "http/proxy/access.hpp"
#include "tests/http/proxy/preview_requests.hpp"
#include "tests/support/eventually.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>

#include <atomic>
#include <functional>
#include <optional>
#include <string>

using namespace greenroom;
using namespace greenroom::test;
using namespace greenroom::http::wire;
using namespace std::chrono_literals;

namespace {

const std::string with_key =
  std::string{"X-API-Key: "} + preview_secret + "\r\n";

/// An app that says "begun" and, when it may go on, "more"; in a tunnel or in a
/// stream, as it is asked.
struct long_talk {
  std::atomic<bool> go_on = false;

  asio::awaitable<void> operator()(server_connection& of) {
    const auto tunnels = !of.head().upgrade().empty();
    const auto begin = switched("begun");
    if (tunnels) {
      co_await of.stream().write(asio::buffer(begin), 30s);
    } else {
      of.begin(answer(200, "text/event-stream"), std::nullopt);
      co_await of.write("begun", 30s);
      co_await of.flush(30s);
    }
    asio::steady_timer timer{co_await asio::this_coro::executor};
    while (!go_on && of.stream().is_open()) {
      timer.expires_after(5ms);
      co_await timer.async_wait(asio::use_awaitable);
    }
    if (tunnels) {
      co_await of.stream().write(asio::buffer("more", 4), 30s);
      of.close();
    } else {
      co_await of.write("more", 30s);
      co_await of.finish(30s);
    }
  }
};

/// One connection that stays open.
class open_preview {
public:
  open_preview(proxy_node& node, bool tunnels, const std::string& headers)
    : client_(node.port()), tunnels_(tunnels) {
    const std::string upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    client_.send(
      request_to(node.host(), "/", headers + (tunnels ? upgrade : "")));
    CHECK(client_.receive_head().status == (tunnels ? 101 : 200));
    if (tunnels)
      CHECK(client_.receive_bytes(5) == "begun");
    else
      client_.read_stream_until("begun");
  }

  /// Waits for it.
  bool is_cut() {
    return client_.is_closed();
  }

  /// For many looks at who may still be there.
  bool stays() {
    return !client_.has_answer(200ms);
  }

  /// Once the app may go on.
  bool goes_on() {
    return tunnels_ ? client_.receive_bytes(4) == "more"
                    : client_.read_stream_to_end() == "begunmore";
  }

private:
  http_client client_;
  const bool tunnels_;
};

void cut_whom_a_change_shuts_out(bool tunnels, bool of_project) {
  long_talk app;
  proxy_node node{std::ref(app)};
  const auto set = [&](preview_access access) {
    if (of_project)
      node.set_rules({access});
    else
      node.settings.change(preview_sid, node.app_port(), access, {});
  };
  const auto link = "Cookie: greenroom-preview=" + node.add_link() + "\r\n";
  set(preview_access::public_view);
  open_preview anybody{node, tunnels, ""};
  open_preview linked{node, tunnels, link};
  open_preview keyed{node, tunnels, with_key};
  set(preview_access::token);
  CHECK(anybody.is_cut());
  open_preview late{node, tunnels, link};
  CHECK(eventually([&] { return node.clients == 3; }));
  set(preview_access::key);
  CHECK(linked.is_cut());
  CHECK(late.is_cut());
  CHECK(eventually([&] { return node.clients == 1; }));
  app.go_on = true;
  CHECK(keyed.goes_on());
}

} // namespace

TEST_CASE("a port's new access ends streams and tunnels that it shuts out") {
  for (auto tunnels : {false, true})
    cut_whom_a_change_shuts_out(tunnels, false);
}

TEST_CASE("a project's new access ends streams and tunnels that it shuts out") {
  for (auto tunnels : {false, true})
    cut_whom_a_change_shuts_out(tunnels, true);
}

TEST_CASE(
  "a project's new access is nothing to a port that has one of its own") {
  long_talk app;
  proxy_node node{std::ref(app)};
  node.settings.change(preview_sid, node.app_port(),
                       preview_access::public_view, {});
  open_preview anybody{node, false, ""};
  node.set_rules({preview_access::key});
  CHECK(anybody.stays());
  app.go_on = true;
  CHECK(anybody.goes_on());
}

TEST_CASE("what a link opened goes on where everybody may look by now") {
  long_talk app;
  proxy_node node{std::ref(app)};
  open_preview linked{
    node, false, "Cookie: greenroom-preview=" + node.add_link("l1") + "\r\n"};
  node.set_rules({preview_access::public_view});
  open_preview anybody{node, false, ""};
  open_preview watched{
    node, false, "Cookie: greenroom-preview=" + node.add_link("l2") + "\r\n"};
  // The first time they hear of it, and by the second they have.
  const auto asked = node.asked_projects.load();
  CHECK(eventually([&] { return node.asked_projects >= asked + 2; }));
  CHECK(node.settings.remove_link(preview_sid, node.app_port(), "l1"));
  CHECK(linked.stays());
  node.set_rules({preview_access::token});
  // Nothing else is left for it.
  CHECK(linked.is_cut());
  CHECK(anybody.is_cut());
  app.go_on = true;
  CHECK(watched.goes_on());
}

TEST_CASE("a connection goes on where its opener would be let in again") {
  using http::proxy::preview_grant;
  using http::proxy::still_lets_in;
  const preview_grant nothing;
  const preview_grant key{"secret", {}, false};
  const preview_grant link{{}, http::proxy::preview_link{}, false};
  const preview_grant both{"secret", http::proxy::preview_link{}, false};
  const preview_grant asks{{}, {}, true};
  struct row {
    const preview_grant& grant;
    http::proxy::grant_standing now;
    bool goes_on;
  };
  // Of a standing: the key opens, the link is valid, access, preflights.
  const row rows[] = {
    {nothing, {false, false, preview_access::public_view, false}, true},
    {nothing, {false, false, preview_access::token, true}, false},
    {nothing, {false, false, preview_access::key, false}, false},
    {key, {true, false, preview_access::key, false}, true},
    {key, {true, false, preview_access::public_view, false}, true},
    // What a key has opened ends with it.
    {key, {false, false, preview_access::public_view, false}, false},
    {both, {false, true, preview_access::token, false}, false},
    {link, {false, true, preview_access::token, false}, true},
    {link, {false, true, preview_access::key, false}, false},
    {link, {false, false, preview_access::token, false}, false},
    {link, {false, false, preview_access::public_view, false}, true},
    {asks, {false, false, preview_access::key, true}, true},
    {asks, {false, false, preview_access::key, false}, false},
    {asks, {false, false, preview_access::public_view, false}, true},
  };
  for (const auto& one : rows) {
    INFO("row " << &one - rows);
    CHECK(still_lets_in(one.grant, one.now) == one.goes_on);
  }
}
