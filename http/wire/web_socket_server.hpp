// Makes a WebSocket of a connection whose client has asked for one.
#pragma once

#include "http/base/asio.hpp"
#include "http/wire/web_socket.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace greenroom::http {

struct web_socket_handshake {
  std::string key;      // as the client sent it; see ws::is_key
  std::string protocol; // that was agreed on, or empty
  std::string request_id;
};

/// Answers the handshake and takes over. A write must be taken within
/// `timeout`. `held` is kept for as long as the connection lasts.
std::shared_ptr<web_socket>
accept_web_socket(asio::ip::tcp::socket socket,
                  const web_socket_handshake& handshake,
                  std::shared_ptr<void> held, std::chrono::milliseconds timeout,
                  web_socket_events events);

} // namespace greenroom::http
