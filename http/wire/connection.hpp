// One HTTP/1.1 connection whose bodies are streams in both directions.
//
// Reads one request after the other; a body comes in pieces as the caller asks
// for them, an answer goes out in pieces as the client takes them, so memory is
// 64 KiB while there is a request and nothing while there is none.
//
// Belongs to one event loop and is used by its thread only. Every wait for the
// client has a deadline, which check_deadlines() enforces: the owner calls it
// now and then. A client that went away, or is late, is `lost` to whoever
// waits.
#pragma once

#include "http/wire/request_parser.hpp"
#include "runtime/base/fd.hpp"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace greenroom::http::git_http {

/// The client is gone: nobody is there to be answered.
class lost : public std::exception {
public:
  const char* what() const noexcept override {
    return "the client is gone";
  }
};

using header_fields = std::vector<std::pair<std::string_view, std::string>>;

class connection {
public:
  using clock = std::chrono::steady_clock;
  using timeout = std::chrono::milliseconds;

  /// `first` has been read from it already. Throws std::system_error.
  connection(asio::io_context& io, unique_fd socket, std::string_view first);
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  /// Waits for the next request: up to `idle` until it begins, then up to
  /// `whole` for all of its head. False where the client wants nothing more.
  /// Throws lost or bad_message.
  asio::awaitable<bool> read_head(timeout idle, timeout whole);

  const request_head& head() const noexcept {
    return parser_.head();
  }

  /// The next piece of the body, until the next call; empty at its end. Tells
  /// the client to send it where that waits to be told. Throws lost or
  /// bad_message.
  asio::awaitable<std::string_view> read_body(timeout each);

  /// Waits, once the body has been read, until the client goes; false where it
  /// has more to say, or after stop_watching().
  asio::awaitable<bool> watch();
  void stop_watching();

  /// A whole answer, after what little there may be of the body. Throws lost.
  asio::awaitable<void> reply(int status, std::string_view content_type,
                              std::string_view body, header_fields more,
                              timeout each);

  /// An answer in pieces. Throw lost.
  asio::awaitable<void> begin(std::string_view content_type, header_fields more,
                              timeout each);
  asio::awaitable<void> write(std::string_view piece, timeout each);
  asio::awaitable<void> finish(timeout each);

  /// True when request and answer are whole and another request may come.
  bool reusable() const noexcept;

  /// Closes so that the client can still read what it was sent last.
  asio::awaitable<void> linger();

  /// Ends everything that waits for the client. Harmless when done twice.
  void close() noexcept;

  /// Closes when the client is late.
  void check_deadlines(clock::time_point now) noexcept;

  /// True while it waits for a request.
  bool idle() const noexcept {
    return idle_;
  }

  // Of the request at hand.
  int status() const noexcept {
    return status_;
  }
  std::uint64_t received() const noexcept {
    return received_;
  }
  std::uint64_t sent() const noexcept {
    return sent_;
  }

private:
  static constexpr clock::time_point never = clock::time_point::max();

  asio::awaitable<std::size_t> receive(clock::time_point until);
  std::string_view piece_at_hand();
  asio::awaitable<bool> skip_body(timeout each);
  template <class Buffers>
  asio::awaitable<void> send(const Buffers& bytes, timeout each);
  void start_message() noexcept;

  asio::ip::tcp::socket socket_;
  request_parser parser_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0; // of what has been read and not been looked at
  std::size_t end_ = 0;

  clock::time_point read_until_ = never;
  clock::time_point write_until_ = never;
  bool idle_ = false;
  bool watching_ = false;

  bool continued_ = false; // the client was told to go on
  bool finished_ = false;  // the answer is whole
  bool close_after_ = false;
  int status_ = 0; // 0: no answer has begun
  std::uint64_t received_ = 0;
  std::uint64_t sent_ = 0;
};

} // namespace greenroom::http::git_http
