// Messages on a byte stream: a reader and a writer, of which the server's and
// the client's side are made.
//
// Memory: the reader has nothing before the first message, 4 KiB for a head,
// which it keeps for the next and which grows to max_head, and 64 KiB for a
// body, which one of responses keeps, since who asks again needs them again;
// the writer has nothing but the head it is about to send.
#pragma once

#include "http/wire/byte_stream.hpp"
#include "http/wire/message_parser.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::http::wire {

class message_reader {
public:
  using clock = byte_stream::clock;
  using timeout = byte_stream::timeout;

  /// `first` has been read from the stream already.
  message_reader(byte_stream& from, message_kind kind, std::string_view first);

  /// True where bytes are there that belong to no message yet.
  bool has_bytes() const noexcept {
    return begin_ < end_;
  }

  /// Makes ready for the next message; see message_parser.
  void start(bool answers_head = false);

  /// Waits for the first byte of a message. False where none comes. Throws
  /// lost.
  asio::awaitable<bool> wait(clock::time_point until);

  /// Reads a head. False where the stream ends before a byte of it. Throws lost
  /// or bad_message.
  asio::awaitable<bool> read_head(clock::time_point until);
  /// True where all of it is there already. Throws bad_message.
  bool head_at_hand();

  /// The next piece of the body, until the next call; empty at its end. Throws
  /// lost or bad_message.
  asio::awaitable<std::string_view> read_body(timeout each);

  /// A piece that is there already; empty: none is, or the body is at its end.
  std::string_view body_at_hand();

  bool at_end() const noexcept {
    return parser_.at() == message_parser::place::end;
  }
  bool broken() const noexcept {
    return parser_.broken();
  }
  const message_head& head() const noexcept {
    return parser_.head();
  }
  const header_list& trailers() const noexcept {
    return parser_.trailers();
  }
  std::uint64_t received() const noexcept {
    return received_;
  }

  /// What was read beyond the message; it is the caller's now.
  std::string take_rest();

private:
  asio::awaitable<bool> receive(clock::time_point until);
  void make_room();
  asio::mutable_buffer free_room() noexcept;

  byte_stream& stream_;
  const message_kind kind_;
  message_parser parser_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0; // of what has been read and is not done with
  std::size_t end_ = 0;
  std::uint64_t received_ = 0; // of the body
};

/// How the end of a body is told.
enum class framing : std::uint8_t { none, length, chunks, end_of_stream };

class message_writer {
public:
  using timeout = byte_stream::timeout;

  explicit message_writer(byte_stream& to) : stream_(to) {}

  /// The head, up to its last line; it goes out with what follows, or at
  /// flush(). The header that tells of `how` is added here.
  void begin(std::string head, framing how, std::uint64_t length = 0);

  asio::awaitable<void> flush(timeout each);
  asio::awaitable<void> write(std::string_view piece, timeout each);

  /// Sends what goes out without waiting, of a body without chunks. False: not
  /// all of it went, and the rest, which `piece` is then, is for write() and
  /// finish(). Spares small messages their coroutines.
  bool write_at_once(std::string_view& piece) noexcept;

  /// The end of the body. Trailers only go where there are chunks.
  asio::awaitable<void> finish(const header_list& trailers, timeout each);

  std::uint64_t sent() const noexcept {
    return sent_;
  }

  /// True where a body of known length was cut short.
  bool short_of_length() const noexcept {
    return how_ == framing::length && sent_ < length_;
  }

private:
  byte_stream& stream_;
  std::string head_; // not sent yet
  framing how_ = framing::none;
  std::uint64_t length_ = 0;
  std::uint64_t sent_ = 0;
};

/// Adds headers as they are sent, each with its line's end. Throws bad_message
/// (500) for what would end the head: no byte of a header's is below a blank.
void append_headers(std::string& to, const header_list& headers);

} // namespace greenroom::http::wire
