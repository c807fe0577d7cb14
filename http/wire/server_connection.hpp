// One client's HTTP/1.1 connection, whose bodies are streams both ways.
//
// Reads one request after the other; a body comes in pieces as the caller asks
// for them, an answer goes out in pieces as the client takes them. What cannot
// be taken is answered with 400, 413, 414, 431 or 501 by the caller, who gets
// it as bad_message, and the connection closes so that the answer arrives.
//
// Belongs to one event loop and is used by its thread only. The owner calls
// check_deadlines() now and then.
#pragma once

#include "http/wire/byte_stream.hpp"
#include "http/wire/message_stream.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom::http::wire {

class server_connection {
public:
  using clock = byte_stream::clock;
  using timeout = byte_stream::timeout;

  /// `first` has been read from it already.
  server_connection(std::unique_ptr<byte_stream> stream,
                    std::string_view first);

  /// Waits for the next request: up to `idle` until it begins, then up to
  /// `whole` for all of its head. False where the client wants nothing more.
  /// Throws lost or bad_message.
  asio::awaitable<bool> read_head(timeout idle, timeout whole);

  const message_head& head() const noexcept {
    return reader_.head();
  }

  bool has_body() const noexcept {
    return head().chunked || head().content_length.value_or(0) != 0;
  }

  /// The next piece of the body, until the next call; empty at its end. Tells
  /// the client to send it where that waits to be told. Throws lost or
  /// bad_message.
  asio::awaitable<std::string_view> read_body(timeout each);
  /// A piece that is there already; empty: none is, or that was the end.
  std::string_view body_at_hand() {
    return reader_.body_at_hand();
  }
  bool body_at_end() const noexcept {
    return reader_.at_end();
  }
  const header_list& trailers() const noexcept {
    return reader_.trailers();
  }

  /// Waits, once the body has been read, until the client goes; false where it
  /// has more to say, or after stop_watching().
  asio::awaitable<bool> watch();
  void stop_watching();

  /// A whole answer, after what little there may be of the body. Of `head` only
  /// status and headers count; framing and Connection are added. Throws lost.
  asio::awaitable<void> reply(const message_head& head, std::string_view body,
                              timeout each);

  /// An answer in pieces: of a known length, or as long as it gets. It goes out
  /// with the first piece, or at flush(). Throw lost.
  void begin(const message_head& head, std::optional<std::uint64_t> length);
  asio::awaitable<void> flush(timeout each);
  asio::awaitable<void> write(std::string_view piece, timeout each);
  asio::awaitable<void> finish(timeout each, const header_list& trailers = {});

  /// The same where no chunks are sent and nothing is to be waited for; else
  /// false, and the others are for the rest, which `piece` is then.
  bool write_at_once(std::string_view& piece) noexcept;
  bool finish_at_once() noexcept;

  /// An answer before the answer: any 1xx but 101. Not to old clients.
  asio::awaitable<void> interim(const message_head& head, timeout each);

  /// 101, after which the bytes are the caller's: stream() and take_rest(),
  /// which lets go of the head.
  asio::awaitable<void> switch_protocols(const message_head& head,
                                         timeout each);
  byte_stream& stream() noexcept {
    return *stream_;
  }
  std::string take_rest() {
    auto rest = reader_.take_rest();
    reader_.start();
    return rest;
  }

  /// True when request and answer are whole and another request may come.
  bool reusable() const noexcept;

  /// The connection ends with the answer that is about to begin.
  void close_after() noexcept {
    close_after_ = true;
  }

  /// Closes so that the client can still read what it was sent last.
  asio::awaitable<void> linger();

  /// Ends everything that waits for the client. Harmless when done twice.
  void close() noexcept {
    stream_->close();
  }

  void check_deadlines(clock::time_point now) noexcept {
    stream_->check_deadlines(now);
  }

  /// True while it waits for a request, or for the rest of its head.
  bool idle() const noexcept {
    return idle_;
  }

  // Of the request at hand.
  int status() const noexcept {
    return status_; // 0: no answer has begun
  }
  std::uint64_t received() const noexcept {
    return reader_.received();
  }
  std::uint64_t sent() const noexcept {
    return writer_.sent();
  }

private:
  asio::awaitable<bool> skip_body(timeout each);
  bool answers_without_body(int status) const noexcept;

  std::unique_ptr<byte_stream> stream_;
  message_reader reader_;
  message_writer writer_;
  bool idle_ = false;
  bool watching_ = false;
  bool continued_ = false; // the client was told to go on
  bool bodiless_ = false;  // the answer has no body, whatever is written
  bool finished_ = false;  // the answer is whole
  bool close_after_ = false;
  int status_ = 0;
};

} // namespace greenroom::http::wire
