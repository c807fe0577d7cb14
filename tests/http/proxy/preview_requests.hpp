// Requests for previews, and apps that answer them.
#pragma once

#include "http/wire/message.hpp"
#include "tests/http/client.hpp"
#include "tests/http/proxy/proxy_node.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom::test {

inline http::wire::message_head answer(int status,
                                       std::string_view type = "text/plain") {
  http::wire::message_head result;
  result.status = status;
  if (!type.empty())
    result.headers.add("Content-Type", type);
  return result;
}

inline asio::awaitable<void> hello(http::wire::server_connection& of) {
  co_await of.reply(answer(200), "hello", std::chrono::seconds{30});
}

/// Answers with the body that it gets, in pieces.
inline asio::awaitable<void> echo_body(http::wire::server_connection& of) {
  using namespace std::chrono_literals;
  of.begin(answer(201), of.head().content_length);
  for (;;) {
    auto piece = co_await of.read_body(30s);
    if (piece.empty())
      break;
    co_await of.write(piece, 30s);
  }
  co_await of.finish(30s, of.trailers());
}

/// The status of one request on a connection of its own.
inline int status_of(proxy_node& node, const std::string& request) {
  http_client client{node.port()};
  client.send(request);
  return client.receive_head().status;
}

inline std::string request_to(const std::string& host,
                              const std::string& target = "/",
                              const std::string& headers = {}) {
  return "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + headers
         + "\r\n";
}

/// Asks for an upgrade, with the administrator's key.
inline std::string upgrade_request(const proxy_node& node,
                                   const std::string& headers,
                                   const std::string& method = "GET") {
  return method + " /ws HTTP/1.1\r\nHost: " + node.host() + "\r\nX-API-Key: "
         + preview_secret + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         + headers + "\r\n";
}

/// The answer to that, with the first bytes that follow it.
inline std::string switched(std::string_view first = {}) {
  return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
         "Upgrade: websocket\r\n\r\n"
         + std::string{first};
}

/// Of a person who opens an address.
inline constexpr auto navigation =
  "Sec-Fetch-Mode: navigate\r\nAccept: text/html,*/*\r\n";

} // namespace greenroom::test
