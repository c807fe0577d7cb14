// One HTTP/1.1 connection to a server, whose bodies are streams both ways.
//
// One request at a time; what the server answers before it has all of the
// request can be read meanwhile. Belongs to one event loop and is used by its
// thread only. The owner calls check_deadlines() now and then.
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

class client_connection {
public:
  using clock = byte_stream::clock;
  using timeout = byte_stream::timeout;

  explicit client_connection(std::unique_ptr<byte_stream> stream);

  /// Begins a request: method, target and headers of `head`, which name Host;
  /// framing is added: a body of `length` bytes, or chunks where that is
  /// nullopt and there is one. Throw lost.
  void begin(const message_head& head, bool has_body,
             std::optional<std::uint64_t> length);
  asio::awaitable<void> flush(timeout each);
  asio::awaitable<void> write(std::string_view piece, timeout each);
  asio::awaitable<void> finish(timeout each, const header_list& trailers = {});
  /// The whole of a request without a body, where that goes out without
  /// waiting; else false, and finish() is for the rest.
  bool finish_at_once() noexcept;

  /// The next head of an answer; a status of 1xx but 101 means that another
  /// follows. Throws lost, also where the server hangs up, or bad_message.
  asio::awaitable<void> read_head(timeout whole);
  const message_head& head() const noexcept {
    return reader_.head();
  }

  /// The next piece of the answer, until the next call; empty at its end.
  /// Throws lost or bad_message.
  asio::awaitable<std::string_view> read_body(timeout each);
  /// A piece that has come already; empty: none has, or that was the end.
  std::string_view body_at_hand() {
    return reader_.body_at_hand();
  }
  bool body_at_end() const noexcept {
    return reader_.at_end();
  }
  bool has_bytes() const noexcept {
    return reader_.has_bytes();
  }
  const header_list& trailers() const noexcept {
    return reader_.trailers();
  }

  /// The length of the answer's body where it is known.
  std::optional<std::uint64_t> length() const noexcept {
    return head().content_length;
  }

  /// After 101: the bytes are the caller's. take_rest lets go of the head.
  byte_stream& stream() noexcept {
    return *stream_;
  }
  std::string take_rest() {
    auto rest = reader_.take_rest();
    reader_.start();
    return rest;
  }

  /// True when request and answer are whole and another request may be sent.
  bool reusable() const noexcept;

  /// While it is not used: whether the server has hung up, or has said what
  /// nobody asked for, which would be taken for the next answer.
  bool stale() noexcept {
    return !stream_->is_open() || !stream_->is_quiet();
  }

  /// Whether a byte of the answer has come.
  bool answered() const noexcept {
    return answered_;
  }

  void close() noexcept {
    stream_->close();
  }
  void check_deadlines(clock::time_point now) noexcept {
    stream_->check_deadlines(now);
  }

private:
  std::unique_ptr<byte_stream> stream_;
  message_reader reader_;
  message_writer writer_;
  bool asks_head_ = false;
  bool sent_ = false; // the request is whole
  bool answered_ = false;
};

} // namespace greenroom::http::wire
