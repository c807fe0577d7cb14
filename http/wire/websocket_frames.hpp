// WebSocket frames (RFC 6455), without a socket.
//
// The reader takes what a client sends, in any pieces, and makes whole messages
// of it. It is bounded: a message beyond the limit is an error before a byte of
// it is kept, which is why the HTTP library's own reader, which makes room for
// whatever length a frame announces, is not used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom::http::ws {

enum class opcode : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10,
};

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

struct message {
  opcode kind = opcode::binary; // text, binary, close, ping or pong
  std::string payload;
};

class frame_reader {
public:
  /// Messages may have at most `limit` bytes.
  explicit frame_reader(std::size_t limit) : limit_(limit) {}

  void add(std::string_view bytes);

  /// The next whole message. nullopt: more bytes are needed, or `fault` says
  /// what is wrong and nothing more can be read.
  std::optional<message> next();

  std::optional<close_code> fault() const noexcept {
    return fault_;
  }

private:
  struct head;

  std::optional<head> read_head();
  std::optional<message> fail(close_code why);
  std::optional<message> take(const head& frame, std::string payload);

  std::size_t limit_;
  std::string in_;
  std::size_t begin_ = 0; // of what is not taken yet, in `in_`
  std::optional<close_code> fault_;
  std::optional<opcode> begun_; // a message whose last frame is to come
  std::string so_far_;
};

/// The head of an unmasked frame that holds a whole message.
std::string frame_head(opcode kind, std::size_t size);

/// The payload of a close frame; a reason that is too long is cut.
std::string close_payload(close_code why, std::string_view reason);

/// The answer to a client's Sec-WebSocket-Key.
std::string accept_key(std::string_view key);

/// True for what a client may send as its key: 16 bytes in base64.
bool is_key(std::string_view text) noexcept;

} // namespace greenroom::http::ws
