// A WebSocket to a client, on its HTTP thread.
//
// Made by exchange::upgrade; open until either side closes it, whoever holds
// it. Bounds: a message of the client has at most `max_message` bytes, a write
// must be taken within the options' write_timeout, and while its owner has
// paused it nothing is read. Pings are answered, and sent by the owner. Nothing
// is compressed.
#pragma once

#include "http/base/request.hpp"
#include "http/base/slice.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace greenroom::http {

namespace ws {

/// Close codes that we send.
enum class close_code : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  bad_data = 1007,
  policy = 1008,
  too_big = 1009,
  internal = 1011,
  try_later = 1013,
};

/// True for what a client may send as Sec-WebSocket-Key: 16 bytes in base64.
bool is_key(std::string_view text) noexcept;

} // namespace ws

/// True for a request that a WebSocket can be made of, false for what asks for
/// another protocol, or badly.
bool is_web_socket(const request& in) noexcept;

/// What the owner hears, on the HTTP thread; never from inside a call.
struct web_socket_events {
  std::function<void(bool is_text, std::string payload)> message;
  /// Whatever shows that the client lives: also pings and pongs.
  std::function<void()> alive;
  /// The connection is gone or going; comes once, unless `close` was called
  /// before.
  std::function<void()> closed;
};

class web_socket {
public:
  static constexpr std::size_t max_message = 1024 * 1024;

  virtual ~web_socket() = default;

  /// Sends a binary message. `done` is called when the kernel has taken it, or
  /// with false when the connection is gone; never from inside.
  virtual void send(slice payload, std::function<void(bool)> done) = 0;

  /// The same with a text message.
  virtual void send_text(slice payload, std::function<void(bool)> done) = 0;

  virtual void ping() = 0;

  /// Sends what waits and then a close frame, and waits a little for the
  /// client's. A reason that is too long is cut. The owner hears nothing more.
  virtual void close(ws::close_code why, std::string_view reason) = 0;

  /// Stops reading, or goes on.
  virtual void pause(bool stop) = 0;
};

} // namespace greenroom::http
