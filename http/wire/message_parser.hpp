// Reads one HTTP/1.1 message after the other from pieces of a connection.
//
// The parsing is Boost.Beast's. Here are the bounds, what of HTTP is not taken
// (a length and chunks both, encodings other than chunks, a request without or
// with two hosts), and bodies as views of the bytes that came in, so that none
// is ever kept.
#pragma once

#include "http/wire/message.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace greenroom::http::wire {

/// First line and headers together, trailers too.
inline constexpr std::size_t max_head = 16 * 1024;

enum class message_kind : std::uint8_t { request, response };

class message_parser {
public:
  enum class place : std::uint8_t { head, body, end };

  struct fed {
    std::size_t taken = 0; // bytes that are done with; 0: more are needed
    std::string_view body; // a piece of the body, within them
  };

  explicit message_parser(message_kind kind);
  message_parser(const message_parser&) = delete;
  message_parser& operator=(const message_parser&) = delete;
  ~message_parser();

  /// Takes what it can from the front of `data`: the head, or one piece of the
  /// body. Bytes that are not taken are to come again, with more behind them.
  /// Throws bad_message; nothing more can be read then.
  fed feed(std::string_view data);

  /// The connection has ended. False: amid a message.
  bool feed_end() noexcept;

  place at() const noexcept;

  /// True while nothing of the message has come, and once it has thrown.
  bool untouched() const noexcept;
  bool broken() const noexcept;

  /// Complete once the head is behind; and at the end.
  const message_head& head() const noexcept;
  const header_list& trailers() const noexcept;

  /// Makes ready for the next message. A response has no body whatever it says
  /// where it answers a HEAD.
  void reset(bool answers_head = false);

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace greenroom::http::wire
