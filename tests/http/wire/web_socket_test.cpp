// WebSockets of clients over real sockets: frames of all kinds, and what is
// none.
#include "http/wire/acceptor.hpp"
#include "http/wire/web_socket_server.hpp"
#include "tests/http/client.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/fuzz_effort.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>
#include <spdlog/spdlog.h>

#include <atomic>
#include <optional>
#include <random>
#include <set>
#include <thread>

using namespace greenroom;
using namespace greenroom::test;

namespace {

/// Sends every message back, as binary.
class echo_server {
public:
  echo_server() {
    acceptor_.emplace(io_, "echo", spdlog::default_logger());
    port = acceptor_->listen("127.0.0.1", 0);
    acceptor_->start([this](unique_fd socket) { take(std::move(socket)); });
    thread_ = std::thread{[this] { io_.run(); }};
  }
  ~echo_server() {
    asio::post(io_, [this] {
      open_.clear();
      io_.stop();
    });
    thread_.join();
  }

  std::uint16_t port = 0;
  std::atomic<int> closed = 0;

private:
  void take(unique_fd fd) {
    asio::ip::tcp::socket socket{io_};
    socket.assign(asio::ip::tcp::v4(), fd.release());
    http::web_socket_handshake handshake{"dGhlIHNhbXBsZSBub25jZQ==", "p", "r1"};
    auto mine = std::make_shared<std::shared_ptr<http::web_socket>>();
    http::web_socket_events events;
    events.message = [weak = std::weak_ptr{mine}](bool, std::string payload) {
      auto text = std::make_shared<std::string>(std::move(payload));
      if (auto to = weak.lock(); to && *to)
        (*to)->send({text, *text}, {});
    };
    events.closed = [this, weak = std::weak_ptr{mine}] {
      ++closed;
      if (auto to = weak.lock())
        open_.erase(to);
    };
    *mine = http::accept_web_socket(std::move(socket), handshake, nullptr,
                                    std::chrono::minutes{1}, std::move(events));
    open_.insert(mine);
  }

  asio::io_context io_{1};
  std::optional<http::acceptor> acceptor_;
  std::set<std::shared_ptr<std::shared_ptr<http::web_socket>>> open_;
  std::thread thread_;
};

std::string frame(unsigned first, const std::string& payload,
                  bool masked = true) {
  std::string bytes{static_cast<char>(first)};
  auto mask = masked ? 0x80u : 0u;
  if (payload.size() <= 125) {
    bytes.push_back(static_cast<char>(mask | payload.size()));
  } else if (payload.size() < 65'536) {
    bytes.push_back(static_cast<char>(mask | 126));
    bytes.push_back(static_cast<char>(payload.size() >> 8));
    bytes.push_back(static_cast<char>(payload.size()));
  } else {
    bytes.push_back(static_cast<char>(mask | 127));
    for (int shift = 56; shift >= 0; shift -= 8)
      bytes.push_back(static_cast<char>(payload.size() >> shift));
  }
  if (masked)
    bytes.append("\1\2\3\4");
  for (std::size_t i = 0; i < payload.size(); ++i)
    bytes.push_back(
      static_cast<char>(masked ? payload[i] ^ (1 + i % 4) : payload[i]));
  return bytes;
}

/// The next frame that comes, as its first byte and its payload.
std::pair<unsigned, std::string> receive(http_client& from) {
  auto head = from.receive_bytes(2);
  std::size_t size = static_cast<unsigned char>(head[1]);
  if (size >= 126) {
    auto more = from.receive_bytes(size == 126 ? 2 : 8);
    size = 0;
    for (auto c : more)
      size = size << 8 | static_cast<unsigned char>(c);
  }
  return {static_cast<unsigned char>(head[0]), from.receive_bytes(size)};
}

/// How the server closes after `bytes`.
unsigned close_code_after(echo_server& server, const std::string& bytes) {
  http_client client{server.port};
  client.receive_head();
  client.send(bytes);
  for (;;) {
    auto [first, payload] = receive(client);
    if (first == 0x88)
      return static_cast<unsigned char>(payload.at(0)) * 256u
             + static_cast<unsigned char>(payload.at(1));
  }
}

} // namespace

TEST_CASE("a WebSocket begins with the answer that the handshake asks for") {
  echo_server server;
  http_client client{server.port};
  auto head = client.receive_head();
  CHECK(head.status == 101);
  CHECK(head.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(head.headers["sec-websocket-protocol"] == "p");
  CHECK(head.headers["x-request-id"] == "r1");
  CHECK(head.headers["server"] == "greenroom");
}

TEST_CASE("messages come whole, however they are cut") {
  echo_server server;
  http_client client{server.port};
  client.receive_head();
  for (std::size_t size : {0u, 1u, 125u, 126u, 65'536u}) {
    std::string payload(size, 'x');
    client.send(frame(0x82, payload));
    auto [first, echoed] = receive(client);
    CHECK(first == 0x82);
    CHECK(echoed == payload);
  }
  // In fragments with a ping between them, byte by byte.
  auto bytes = frame(0x02, "ab") + frame(0x89, "ping") + frame(0x00, "c")
               + frame(0x80, "d");
  for (auto c : bytes)
    client.send({&c, 1});
  CHECK(receive(client) == std::pair{0x8au, std::string{"ping"}});
  CHECK(receive(client) == std::pair{0x82u, std::string{"abcd"}});
  client.send(frame(0x88, "\x03\xe8"));
  CHECK(receive(client) == std::pair{0x88u, std::string{"\x03\xe8"}});
  CHECK(client.is_closed());
  CHECK(eventually([&] { return server.closed == 1; }));
}

TEST_CASE("what is no frame, too long or no text closes the WebSocket") {
  echo_server server;
  CHECK(close_code_after(server, frame(0x83, "x")) == 1002); // unknown
  CHECK(close_code_after(server, frame(0xc2, "x")) == 1002); // reserved bit
  CHECK(close_code_after(server, frame(0x82, "x", false)) == 1002);
  CHECK(close_code_after(server, frame(0x80, "x")) == 1002); // goes on nothing
  CHECK(close_code_after(server, frame(0x09, "x")) == 1002); // cut ping
  CHECK(close_code_after(server, frame(0x89, std::string(126, 'x'))) == 1002);
  CHECK(close_code_after(server, frame(0x81, "\xff")) == 1007);
  // Refused by its head alone: nothing is kept for what is announced.
  auto long_one =
    frame(0x82, std::string(http::web_socket::max_message + 1, 'x'));
  CHECK(close_code_after(server, long_one.substr(0, 100)) == 1009);
  CHECK(close_code_after(server, std::string{"\x82\xff\x7f\xff\xff\xff"
                                             "\xff\xff\xff\xff\1\2\3\4"})
        == 1009);
}

TEST_CASE("no bytes make a WebSocket do more than close") {
  fuzz_effort effort{150};
  std::mt19937 random{effort.seed()};
  echo_server server;
  const std::vector<std::string> seeds{frame(0x82, "hello"),
                                       frame(0x81, "text"),
                                       frame(0x89, "p"),
                                       frame(0x02, "ab"),
                                       frame(0x80, std::string(300, 'x')),
                                       frame(0x88, "\x03\xe8"
                                                   "bye")};
  while (effort.next()) {
    std::string bytes;
    for (auto count = 1 + random() % 5; count > 0; --count)
      bytes += seeds[random() % seeds.size()];
    for (auto changes = random() % 5; changes > 0; --changes)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    http_client client{server.port};
    client.receive_head();
    for (std::size_t at = 0; at < bytes.size();) {
      auto step = 1 + random() % bytes.size();
      client.send(bytes.substr(at, step));
      at += step;
    }
    if (random() % 2 == 0)
      client.drop();
  }
  // It serves as before.
  http_client client{server.port};
  client.receive_head();
  client.send(frame(0x82, "still"));
  CHECK(receive(client).second == "still");
}
