// A small HTTP client on a raw socket, for tests that send what no good client
// would. Every read gives up after ten seconds, so a test fails, not hangs.
#pragma once

#include "runtime/base/fd.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace greenroom::test {

struct http_answer {
  int status = 0;
  std::map<std::string, std::string> headers; // names in lower case
  std::string body;
};

class http_client {
public:
  /// `before` is called when the socket is made and not connected yet.
  explicit http_client(std::uint16_t port, int receive_buffer = 0,
                       const std::function<void()>& before = {});
  /// On a connection that is made already.
  explicit http_client(unique_fd connected);
  http_client(const http_client&) = delete;
  http_client& operator=(const http_client&) = delete;
  ~http_client();

  void send(std::string_view bytes);

  /// True once bytes of an answer have come, false after `timeout`.
  bool has_answer(std::chrono::milliseconds timeout);

  /// The next answer. Throws std::runtime_error if the connection ends or
  /// nothing comes. After HEAD, and for 204, there is no body.
  http_answer receive(bool after_head = false);

  /// The head of the next answer; its body is left to `stream_text`.
  http_answer receive_head();

  /// The text of a chunked body so far, once it contains `wanted`. Throws if it
  /// ends or nothing comes before.
  const std::string& read_stream_until(std::string_view wanted);

  /// The whole text of a chunked body. Throws if the connection ends first.
  const std::string& read_stream_to_end();

  /// The next bytes, however they are framed. Throws if the connection ends or
  /// nothing comes before there are as many.
  std::string receive_bytes(std::size_t count);

  /// True if the server closes the connection without another byte.
  bool is_closed();

  /// Closes the connection at once, as a client that crashes does.
  void drop();

  /// Nothing more is sent; what comes is still read.
  void finish_sending();

private:
  bool fill();
  bool take_chunk();

  int fd_ = -1;
  std::string in_;
  std::string stream_;
  bool stream_over_ = false;
};

/// One request on a connection of its own.
http_answer call(std::uint16_t port, std::string_view method,
                 std::string_view target, std::string_view key = {},
                 std::string_view body = {},
                 std::string_view content_type = "application/json");

/// The text of a request.
std::string request_text(std::string_view method, std::string_view target,
                         std::string_view key = {}, std::string_view body = {},
                         std::string_view content_type = "application/json",
                         std::string_view more_headers = {});

} // namespace greenroom::test
