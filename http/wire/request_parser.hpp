// Reads HTTP/1.1 requests from pieces of a connection, as they come.
//
// The work is http_parser's; here are the bounds, the few headers that count,
// and the pieces of the body, which are moved to the front of the buffer that
// they came in, so that none of them is ever kept.
#pragma once

#include <http_parser.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace greenroom::http::git_http {

/// Request line and headers together.
inline constexpr std::size_t max_head = 16 * 1024;

/// Bytes that are no request, or not one that we take.
class bad_message : public std::runtime_error {
public:
  bad_message(int status, const std::string& sentence)
    : std::runtime_error(sentence), status_(status) {}

  /// To answer with.
  int status() const noexcept {
    return status_;
  }

private:
  int status_;
};

/// Header values are empty where the client sent none.
struct request_head {
  std::string method;
  std::string target;
  std::string authorization;
  std::string content_type;
  std::string content_encoding;
  std::string git_protocol;
  std::string request_id;
  bool expects_continue = false;
  bool old = false;                 // HTTP/1.0
  std::uint64_t content_length = 0; // 0: none was said
};

class request_parser {
public:
  enum class place : std::uint8_t { head, body, end };

  struct fed {
    std::size_t taken = 0; // bytes that are done with
    std::size_t body = 0;  // of these, in front of the buffer
  };

  request_parser();
  request_parser(const request_parser&) = delete;
  request_parser& operator=(const request_parser&) = delete;

  /// Takes what it can from the front of `data` and stops where the head or
  /// the message ends. Throws bad_message; nothing more can be read then.
  fed feed(char* data, std::size_t size);

  place at() const noexcept {
    return place_;
  }

  /// True once it has thrown.
  bool broken() const noexcept {
    return broken_;
  }

  /// True while not a byte of the message has come.
  bool untouched() const noexcept {
    return head_size_ == 0;
  }

  /// Complete once the head is behind.
  const request_head& head() const noexcept {
    return head_;
  }

  /// At the end: whether another request may follow on the connection.
  bool keep_alive() const noexcept {
    return keep_alive_;
  }

  /// Makes ready for the next message.
  void reset();

private:
  static request_parser& self(http_parser* of);
  static const http_parser_settings& settings();
  void take_name(const char* at, std::size_t size);
  void take_value(const char* at, std::size_t size);
  void end_field();
  void end_head();
  std::string* field_named(const std::string& name);

  http_parser parser_{};
  place place_ = place::head;
  request_head head_;
  std::size_t head_size_ = 0;
  std::string name_;
  std::string value_;
  bool in_value_ = false;
  bool keep_alive_ = false;
  bool broken_ = false;
  char* front_ = nullptr; // where the next piece of the body goes
};

} // namespace greenroom::http::git_http
