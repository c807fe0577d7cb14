// The ports of a session: settings, links, and tunnels into it.
#include "http/wire/acceptor.hpp"
#include "runtime/base/files.hpp"
#include "tests/http/client.hpp"
#include "tests/http/stand_ins.hpp"

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <thread>

using namespace greenroom;
using namespace greenroom::test;
using nlohmann::json;

namespace {

const std::string ports_path =
  "/projects/demo/sessions/" + std::string{demo_session} + "/ports";

struct preview_fixture : fixture {
  explicit preview_fixture(std::size_t connections_of_address = 0)
    : fixture([=](http::options& o) {
        o.preview_host = "127.0.0.1";
        o.max_connections_of_address = connections_of_address;
      }) {
    // Where settings are kept.
    std::filesystem::create_directories(files.path() / "sessions"
                                        / demo_session);
  }

  json ask(const std::string& method, const std::string& path,
           const json& body = nullptr, int status = 200,
           std::string_view key = admin_secret) {
    auto answer = call(port(), method, ports_path + path, key,
                       body.is_null() ? "" : body.dump());
    INFO(answer.body);
    CHECK(answer.status == status);
    auto all = json::parse(answer.body);
    return all.contains("data") ? all["data"] : all["error"];
  }

  std::string preview_host(int of) const {
    return std::to_string(of) + '-' + std::string{demo_session}
           + ".preview.localhost:" + std::to_string(server->preview_port());
  }
};

/// A program that sends back what it gets, and ends when its client does.
class echo_program {
public:
  echo_program() {
    acceptor_.emplace(io_, "echo", spdlog::default_logger());
    port = acceptor_->listen("127.0.0.1", 0);
    acceptor_->start([this](unique_fd socket) {
      threads_.emplace_back(
        [fd = std::make_shared<unique_fd>(std::move(socket))] {
          char buffer[1000];
          for (;;) {
            auto got = ::recv(fd->get(), buffer, sizeof buffer, 0);
            if (got <= 0)
              return;
            ::send(fd->get(), buffer, static_cast<std::size_t>(got),
                   MSG_NOSIGNAL);
          }
        });
    });
    loop_ = std::thread{[this] { io_.run(); }};
  }
  ~echo_program() {
    io_.stop();
    loop_.join();
    for (auto& one : threads_)
      one.join();
  }

  std::uint16_t port = 0;

private:
  asio::io_context io_{1};
  std::optional<http::acceptor> acceptor_;
  std::vector<std::thread> threads_;
  std::thread loop_;
};

std::string masked(unsigned kind, const std::string& payload) {
  std::string bytes{static_cast<char>(0x80 | kind)};
  bytes.push_back(static_cast<char>(0x80 | payload.size()));
  bytes.append(4, '\0'); // a mask that changes nothing
  return bytes + payload;
}

const std::string tunnel_handshake =
  "Connection: Upgrade\r\nUpgrade: websocket\r\n"
  "Sec-WebSocket-Version: 13\r\n"
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

} // namespace

TEST_CASE("the ports of a session are listed with how they are seen") {
  preview_fixture f;
  f.script->ports = {{3000, "127.0.0.1", "node", "e1"}};
  auto set = f.ask("PUT", "/3000", {{"access", "public"}, {"label", "web"}});
  CHECK(set["access"] == "public");
  f.ask("PUT", "/3000", {{"label", "shop"}});
  auto listed = f.ask("GET", "")["ports"];
  CHECK(listed
        == json::array({{{"port", 3000},
                         {"address", "127.0.0.1"},
                         {"process", "node"},
                         {"exec_id", "e1"},
                         {"access", "public"},
                         {"label", "shop"},
                         {"url", "http://" + f.preview_host(3000) + "/"}}}));
  f.ask("PUT", "/3000", {{"access", "all"}}, 400);
  f.ask("PUT", "/0", {{"access", "key"}}, 400);
  f.ask("PUT", "/70000", {{"access", "key"}}, 400);
  auto reader = f.add_key({"sessions:read"});
  f.ask("GET", "", nullptr, 200, reader);
  f.ask("PUT", "/3000", {{"access", "public"}}, 403, reader);
  f.ask("GET", "/3000/tunnel", nullptr, 403, reader);
}

TEST_CASE("a link leads to a path of the app and can be deleted once") {
  preview_fixture f;
  echo_program app;
  auto port = std::to_string(app.port);
  auto made = f.ask("POST", "/" + port + "/link",
                    {{"path", "/a?b=c"}, {"expires_in", "1h"}}, 201);
  std::string url = made["url"];
  auto start = "http://" + f.preview_host(app.port) + "/a?b=c&greenroom_token=";
  REQUIRE(url.starts_with(start));
  f.ask("POST", "/" + port + "/link", {{"path", "//evil"}}, 400);
  f.ask("POST", "/" + port + "/link", {{"path", "/a b"}}, 400);
  std::string id = made["id"];
  f.ask("DELETE", "/" + port + "/links/" + id);
  f.ask("DELETE", "/" + port + "/links/" + id, nullptr, 404);
}

TEST_CASE("no link is given that would open nothing") {
  preview_fixture f;
  f.ask("PUT", "/3000", {{"access", "key"}});
  auto why = f.ask("POST", "/3000/link", json::object(), 409);
  CHECK(why["message"].get<std::string>().find("the port is for keys")
        != std::string::npos);
  f.ask("PUT", "/3000", {{"access", "token"}});
  f.ask("POST", "/3000/link", json::object(), 201);
}

TEST_CASE("a link that is asked for again is one link, with a new token") {
  preview_fixture f;
  echo_program app;
  auto port = std::to_string(app.port);
  auto make = [&] {
    http_client client{f.port()};
    client.send(request_text("POST", ports_path + "/" + port + "/link",
                             admin_secret, "{}", "application/json",
                             "Idempotency-Key: once\r\n"));
    auto answer = client.receive();
    CHECK(answer.status == 201);
    return json::parse(answer.body)["data"];
  };
  auto kept = [&] {
    auto text =
      read_file(f.files.path() / "sessions" / demo_session / "previews.json");
    REQUIRE(text);
    return json::parse(*text)["links"];
  };
  auto first = make();
  auto before = kept();
  auto second = make();
  CHECK(second["id"] == first["id"]);
  CHECK(second["url"] != first["url"]);
  // The first token opens nothing any more, the second one until this.
  auto now = kept();
  REQUIRE(now.size() == 1);
  CHECK(now != before);
  f.ask("DELETE", "/" + port + "/links/" + first["id"].get<std::string>());
  CHECK(kept().empty());
}

TEST_CASE("a tunnel is one connection to a port of the session") {
  preview_fixture f;
  std::optional<echo_program> app{std::in_place};
  http_client client{f.port()};
  auto path = ports_path + '/' + std::to_string(app->port) + "/tunnel";
  client.send(
    request_text("GET", path, admin_secret, "", "", tunnel_handshake));
  CHECK(client.receive_head().status == 101);
  client.send(masked(2, "ping") + masked(2, " pong"));
  std::string got;
  while (got.size() < 9) {
    auto head = client.receive_bytes(2);
    got += client.receive_bytes(static_cast<unsigned char>(head[1]));
  }
  CHECK(got == "ping pong");
  client.send(masked(8, "\x03\xe8"));
  CHECK(client.receive_bytes(4) == "\x88\x02\x03\xe8");
  CHECK(client.is_closed());
}

TEST_CASE("a tunnel to a port where nothing listens is refused") {
  preview_fixture f;
  std::uint16_t port = echo_program{}.port;
  http_client client{f.port()};
  client.send(request_text("GET",
                           ports_path + '/' + std::to_string(port) + "/tunnel",
                           admin_secret, "", "", tunnel_handshake));
  CHECK(client.receive().status == 503);
  CHECK(call(f.port(), "GET", ports_path + "/3000/tunnel", admin_secret).status
        == 426);
}

TEST_CASE("what a client says last goes through its tunnel") {
  preview_fixture f;
  unique_fd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  int small = 8 * 1024;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&at), size) == 0);
  REQUIRE(::listen(listener.get(), 1) == 0);
  REQUIRE(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&at), &size)
          == 0);
  http_client client{f.port()};
  auto path = ports_path + '/' + std::to_string(ntohs(at.sin_port)) + "/tunnel";
  client.send(
    request_text("GET", path, admin_secret, "", "", tunnel_handshake));
  CHECK(client.receive_head().status == 101);
  const std::string much(1'000'000, 'x');
  std::string frame{"\x82\xff\0\0\0\0", 6};
  for (int shift : {24, 16, 8, 0})
    frame += static_cast<char>(much.size() >> shift & 0xff);
  client.send(frame + std::string(4, '\0') + much + masked(8, "\x03\xe8"));
  // It has gone before anybody reads.
  CHECK(client.receive_bytes(4) == "\x88\x02\x03\xe8");
  unique_fd app{::accept(listener.get(), nullptr, nullptr)};
  timeval timeout{10, 0};
  ::setsockopt(app.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  std::size_t got = 0;
  std::array<char, 10'000> buffer{};
  ssize_t more = 0;
  while ((more = ::recv(app.get(), buffer.data(), buffer.size(), 0)) > 0)
    got += static_cast<std::size_t>(more);
  CHECK(more == 0);
  CHECK(got == much.size());
}

TEST_CASE("a tunnel counts among the streams of its key") {
  fixture f{[](http::options& o) {
    o.preview_host = "127.0.0.1";
    o.max_streams_of_key = 1;
  }};
  echo_program app;
  auto ask = [&](http_client& client) {
    client.send(request_text(
      "GET", ports_path + "/" + std::to_string(app.port) + "/tunnel",
      admin_secret, "", "", tunnel_handshake));
    return client.receive_head().status;
  };
  {
    http_client first{f.port()};
    CHECK(ask(first) == 101);
    http_client second{f.port()};
    CHECK(ask(second) == 429);
  }
  fixture::wait_until([&] {
    http_client third{f.port()};
    return ask(third) == 101;
  });
}

TEST_CASE("there are no more tunnels than descriptors for their other ends") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  auto few = before;
  few.rlim_cur = 512; // 384 for clients, a sixteenth of it for tunnels
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  {
    fixture f;
    echo_program app;
    const auto other = f.add_key({"admin"});
    auto ask = [&](http_client& client, const std::string& key) {
      client.send(request_text(
        "GET", ports_path + "/" + std::to_string(app.port) + "/tunnel", key, "",
        "", tunnel_handshake));
      return client.receive_head();
    };
    std::vector<std::unique_ptr<http_client>> tunnels;
    // No key has more than half of them.
    for (const auto& key : {std::string{admin_secret}, other}) {
      for (int i = 0; i < 12; ++i) {
        tunnels.push_back(std::make_unique<http_client>(f.port()));
        CHECK(ask(*tunnels.back(), key).status == 101);
      }
      http_client one_more{f.port()};
      auto refused = ask(one_more, key);
      CHECK(refused.status == (key == other ? 503 : 429));
      CHECK(refused.headers.contains("retry-after"));
    }
    tunnels.pop_back();
    fixture::wait_until([&] {
      http_client next{f.port()};
      return ask(next, other).status == 101;
    });
  }
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
}

TEST_CASE("a tunnel counts among the connections of its address") {
  preview_fixture f{2};
  echo_program app;
  auto path = ports_path + "/" + std::to_string(app.port) + "/tunnel";
  std::vector<std::unique_ptr<http_client>> tunnels;
  for (int i = 0; i < 2; ++i) {
    tunnels.push_back(std::make_unique<http_client>(f.port()));
    tunnels.back()->send(
      request_text("GET", path, admin_secret, "", "", tunnel_handshake));
    CHECK(tunnels.back()->receive_head().status == 101);
  }
  CHECK(call(f.port(), "GET", "/healthz").status == 503);
  tunnels.clear();
  fixture::wait_until(
    [&] { return call(f.port(), "GET", "/healthz").status == 200; });
}
