// The client's side of a WebSocket, by coroutines.
//
// Belongs to one event loop and is used by its thread only; one read and one
// write at a time. A server that TCP does not reach for a minute is gone.
// Messages of the server have at most 16 MiB.
#pragma once

#include "http/wire/dial.hpp"
#include "http/wire/message.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace greenroom::http::wire {

/// The server answered the handshake with something else.
class upgrade_refused : public std::runtime_error {
public:
  upgrade_refused(int status, header_list headers, std::string body)
    : std::runtime_error("no WebSocket: status " + std::to_string(status)),
      status_(status), headers_(std::move(headers)), body_(std::move(body)) {}

  int status() const noexcept {
    return status_;
  }
  const header_list& headers() const noexcept {
    return headers_;
  }
  const std::string& body() const noexcept {
    return body_;
  }

private:
  int status_;
  header_list headers_;
  std::string body_;
};

struct web_socket_payload {
  bool is_text = false;
  std::string bytes;
};

class web_socket_client {
public:
  virtual ~web_socket_client() = default;

  /// The next message; nothing once the server has closed, see close_code.
  /// Throws lost where the connection broke.
  virtual asio::awaitable<std::optional<web_socket_payload>> read() = 0;

  /// The bytes must live until it is written. Throws lost.
  virtual asio::awaitable<void> write(std::string_view bytes,
                                      bool is_text = false) = 0;

  /// Says goodbye; what reads hears of it.
  virtual asio::awaitable<void> say_goodbye() = 0;

  /// Drops the connection: whatever waits throws lost.
  virtual void drop() noexcept = 0;

  /// As the server sent it; 0 before.
  virtual std::uint16_t close_code() const noexcept = 0;
  virtual std::string close_reason() const = 0;
};

/// Asks for a WebSocket over a new connection: target and headers of `head`,
/// which name Host. With `trust` over TLS. Throws unreachable or
/// upgrade_refused.
asio::awaitable<std::unique_ptr<web_socket_client>>
open_web_socket(asio::io_context& io, unique_fd socket,
                std::optional<tls_trust> trust, message_head head);

} // namespace greenroom::http::wire
